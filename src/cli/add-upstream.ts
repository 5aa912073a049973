import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { isOwnPath } from '../upstream';
import { classNameOf, summaryRoute, upstreamSkeleton, type SkeletonImports } from './upstream-skeleton';

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
  // Each folder of Larder's own is a part of it, or an upstream that it has already.
  if (existsSync(join(__dirname, '..', name)) || isOwnPath(`/${name}`))
    throw new Error(`"${name}" is a name of Larder's own. Take another one, such as ${name}-api.`);
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
  const files = upstreamSkeleton({ name, baseUrl, projection, imports: project.imports });
  mkdirSync(target, { recursive: true });
  for (const [file, text] of files) writeFileSync(join(target, file), text, { flag: 'wx' });
  return nextSteps(
    name,
    [...files.keys()].map((file) => relative(folder, join(target, file))),
    project.isLarder,
    projection,
  );
}

interface Project {
  readonly root: string;
  readonly isLarder: boolean;
  readonly imports: SkeletonImports;
}

/** @throws Error outside of a project, or in one without the package */
function projectOf(folder: string): Project {
  const root = rootAbove(folder);
  if (root === undefined)
    throw new Error(`No package.json is in ${folder} or above it. Change into your project's folder.`);
  const { name, type, ...lists } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as PackageJson;
  if (name === 'larder' && existsSync(join(root, 'src/upstream/index.ts')))
    return { root, isLarder: true, imports: { kit: '../upstream', testing: '../../testing', suffix: '' } };
  const isInstalled = [lists.dependencies, lists.devDependencies].some((list) => list?.['larder'] !== undefined);
  if (!isInstalled)
    throw new Error(
      `${join(root, 'package.json')} does not name larder as a dependency. Install it first: npm install larder-0.1.0.tgz`,
    );
  const suffix = type === 'module' ? '.js' : '';
  return { root, isLarder: false, imports: { kit: 'larder/upstream', testing: 'larder/testing', suffix } };
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

function nextSteps(name: string, files: readonly string[], isLarder: boolean, projection: string | undefined): string {
  const module = `${classNameOf(name)}Module`;
  const first = isLarder
    ? `Add this line to src/app.module.ts, and ${module} to its imports:\n    import { ${module} } from './${name}/${name}.module';\n  and its settings to .env.sample: npx jest src/config/env.schema.spec.ts names them.`
    : `Add ${module} to the imports of your app module (src/${name}/${name}.module), and start the service with it:\n    import { startService } from 'larder/upstream';\n    void startService(AppModule);`;
  return [
    ...files.map((file) => `wrote ${file}`),
    '',
    'Next:',
    `  1. ${first}`,
    `  2. Say what differs from a plain REST API in src/${name}/${name}.definition.ts.`,
    `  3. Run its spec: npx jest src/${name}`,
    ...(projection === undefined
      ? []
      : [`  4. Say what /${summaryRoute(name)} answers in src/${name}/${name}.service.ts.`]),
    '',
  ].join('\n');
}
