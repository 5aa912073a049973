import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { isOwnPath } from '../upstream';
import { classNameOf, settingsSample, summaryRoute, upstreamSkeleton, type SkeletonImports } from './upstream-skeleton';

const PROJECTION = /^(?:\/(?::[A-Za-z_]\w*|[\w.~%-]+))+$/;
const NAME = /^[a-z](?:[a-z0-9]|-(?=[a-z0-9])){0,31}$/;

/**
 * Writes the files of an upstream into `src/NAME` of the project that the folder belongs to, Larder's own or one with Larder installed.
 *
 * @returns what to do next
 * @throws Error with one sentence: a wrong name, or files that are there already
 */
export function addUpstream(args: readonly string[], folder: string): string {
  const options = { 'base-url': { type: 'string' }, projection: { type: 'string' } } as const;
  const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
  const [name, ...more] = positionals;
  if (name === undefined || more.length > 0)
    throw new Error(
      'Name one API, in lower case. Example: larder add-upstream npm --base-url https://registry.npmjs.org',
    );
  if (!NAME.test(name))
    throw new Error(
      `"${name}" cannot name an upstream: it takes 1 to 32 lower-case letters, digits and hyphens, and begins with a letter. ` +
        'Example: larder add-upstream acme-cloud',
    );
  const baseUrl = values['base-url'];
  if (baseUrl !== undefined && !/^https?:\/\/[^\s?#@'\\]+$/.test(baseUrl))
    throw new Error(
      '--base-url must be an http:// or https:// URL without query, fragment or credentials. Example: --base-url https://registry.npmjs.org',
    );
  const { projection } = values;
  if (projection !== undefined && !PROJECTION.test(projection))
    throw new Error(
      '--projection must be the path of a resource, with its parameters as whole segments. Example: --projection /users/:account',
    );
  const project = projectOf(folder);
  const target = join(project.root, 'src', name);
  if (existsSync(target))
    throw new Error(
      `${relative(folder, target) || target} is there already, and nothing was written. Take another name, or remove it.`,
    );
  // Each folder of Larder's own is a part of it, or an upstream that it has already.
  if (existsSync(join(__dirname, '..', name)) || isOwnPath(`/${name}`))
    throw new Error(`"${name}" is a name of Larder's own. Take another one, such as ${name}-api.`);
  const files = upstreamSkeleton({ name, baseUrl, projection, imports: project.imports });
  mkdirSync(target, { recursive: true });
  for (const [file, text] of files) writeFileSync(join(target, file), text, { flag: 'wx' });
  const written = [...files.keys()].map((file) => relative(folder, join(target, file)));
  const mounted = project.isLarder ? mount(project.root, { name, baseUrl }).map((file) => relative(folder, file)) : [];
  return nextSteps({ name, projection, written, mounted }, project);
}

/** Adds the module and its settings to Larder's own. @returns the changed files; none of which the place is not found in */
function mount(
  root: string,
  { name, baseUrl }: { readonly name: string; readonly baseUrl: string | undefined },
): string[] {
  const module = `${classNameOf(name)}Module`;
  const imported = `import { ${module} } from './${name}/${name}.module';\n`;
  const changes: readonly (readonly [file: string, places: readonly (readonly [before: string, text: string])[]])[] = [
    [
      'src/app.module.ts',
      [
        ["import { UpstreamModule } from './upstream';\n", imported],
        ['    AdminModule,\n', `    ${module},\n`],
      ],
    ],
    ['.env.sample', [['## Upstreams\n', `${settingsSample({ name, baseUrl })}\n`]]],
  ];
  return changes.flatMap(([file, places]) => {
    const path = join(root, file);
    const before = existsSync(path) ? readFileSync(path, 'utf8') : '';
    if (!places.every(([place]) => before.includes(place))) return [];
    writeFileSync(
      path,
      places.reduce((text, [place, added]) => text.replace(place, () => added + place), before),
    );
    return [path];
  });
}

interface Project {
  readonly root: string;
  readonly isLarder: boolean;
  /** How one of its specs is run. */
  readonly runner: string;
  readonly imports: SkeletonImports;
}

/** @throws Error outside of a project, or in one without the package */
function projectOf(folder: string): Project {
  const root = rootAbove(folder);
  if (root === undefined)
    throw new Error(`No package.json is in ${folder} or above it. Change into your project's folder.`);
  const { name, type, ...lists } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as PackageJson;
  if (name === 'larder' && existsSync(join(root, 'src/upstream/index.ts')))
    return {
      root,
      isLarder: true,
      runner: 'npx jest',
      imports: { kit: '../upstream', testing: '../../testing', suffix: '' },
    };
  const isInstalled = [lists.dependencies, lists.devDependencies].some((list) => list?.['larder'] !== undefined);
  if (!isInstalled)
    throw new Error(
      `${join(root, 'package.json')} does not name larder as a dependency. Install it first: npm install larder-0.1.0.tgz`,
    );
  const suffix = type === 'module' ? '.js' : '';
  const runner = lists.devDependencies?.['vitest'] === undefined ? 'npx jest' : 'npx vitest run';
  return { root, isLarder: false, runner, imports: { kit: 'larder/upstream', testing: 'larder/testing', suffix } };
}

interface PackageJson {
  readonly name?: string;
  readonly type?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

function rootAbove(folder: string): string | undefined {
  if (statSync(join(folder, 'package.json'), { throwIfNoEntry: false })?.isFile()) return folder;
  const parent = dirname(folder);
  return parent === folder ? undefined : rootAbove(parent);
}

interface Written {
  readonly name: string;
  readonly projection: string | undefined;
  readonly written: readonly string[];
  /** The files of Larder's own that have it now. */
  readonly mounted: readonly string[];
}

function nextSteps(
  { name, projection, written, mounted }: Written,
  { isLarder, runner, imports: { suffix } }: Project,
): string {
  const module = `${classNameOf(name)}Module`;
  const start = `Start the service with it, from a file in src:
    import { startService } from 'larder/upstream';
    import { ${module} } from './${name}/${name}.module${suffix}';
    void startService(${module});`;
  const mount = `Add ${module} to the imports in src/app.module.ts, and its settings to .env.sample.`;
  const steps = [
    ...(isLarder ? (mounted.length < 2 ? [mount] : []) : [start]),
    `Say what differs from a plain REST API in src/${name}/${name}.definition.ts. Settings of its own, and a webhook's secret, have variables: add them to ${isLarder ? '.env.sample' : '.env'}.`,
    ...(projection === undefined ? [] : [`Say what /${summaryRoute(name)} answers in src/${name}/${name}.service.ts.`]),
    `Run its spec: ${runner} src/${name}`,
  ];
  return [
    ...written.map((file) => `wrote ${file}`),
    ...mounted.map((file) => `added it to ${file}`),
    ...['', 'Next:'],
    ...steps.map((step, index) => `  ${index + 1}. ${step}`),
    '',
  ].join('\n');
}
