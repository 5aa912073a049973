/** Where the files of a skeleton import from. */
export interface SkeletonImports {
  readonly kit: string;
  readonly testing: string;
  /** The end of a relative import. */
  readonly suffix: '' | '.js';
}

export interface SkeletonOptions {
  readonly name: string;
  readonly baseUrl: string | undefined;
  /** The path of the resource that a route of its own is derived from: `/items/:id`; undefined for no such route. */
  readonly projection: string | undefined;
  readonly imports: SkeletonImports;
}

/** The names that all of the files use. */
interface Names extends SkeletonOptions {
  readonly className: string;
  readonly constant: string;
  /** The beginning of its settings. */
  readonly prefix: string;
  readonly example: Example;
}

/** A path of the API, as the comments and the spec show it. */
interface Example {
  /** Example: `/items/7` */
  readonly path: string;
  /** How many segments are in front of the kind of the thing. */
  readonly before: number;
  readonly tags: readonly string[];
}

const NO_URL = 'https://api.example.com';

/** The files of a new upstream by their names: they compile and the spec passes without a change. */
export function upstreamSkeleton(options: SkeletonOptions): ReadonlyMap<string, string> {
  const { name, projection } = options;
  const className = classNameOf(name);
  const constant = `${className.charAt(0).toLowerCase()}${className.slice(1)}Api`;
  const prefix = name.toUpperCase().replaceAll('-', '_');
  const names = { ...options, className, constant, prefix, example: exampleOf(projection ?? '/items/:id') };
  return new Map([
    [`${name}.definition.ts`, definition(names)],
    ...(projection === undefined ? [] : projectionFiles(names, projection)),
    [`${name}.module.ts`, module(names)],
    [`${name}.spec.ts`, spec(names)],
  ]);
}

/** Of `/v2/items/:id`, `/v2/items/7`: the segment in front of the first parameter is the kind of the thing. */
function exampleOf(template: string): Example {
  const segments = template.split('/').slice(1);
  const before = Math.max(0, segments.findIndex((segment) => segment.startsWith(':')) - 1);
  let next = 7;
  const filled = segments.map((segment) => (segment.startsWith(':') ? String(next++) : segment));
  const [kind = '', id] = filled.slice(before);
  return { path: `/${filled.join('/')}`, before, tags: id === undefined ? [kind] : [kind, `${kind}:${id}`] };
}

function definition({ name, className, constant, prefix, baseUrl, projection, imports, example }: Names): string {
  const problems = `
  problems: {
    '${name}-not-found': { status: 404, title: 'Not found', mayRetry: false, isAnswer: true },
  },`;
  return `import { defineUpstream } from '${imports.kit}';

/** ${className} behind the cache at /${name}. Every member: docs/reference/upstream-definition.md */
export const ${constant} = defineUpstream({
  name: '${name}',
  title: '${className}',
  baseUrl: '${baseUrl ?? NO_URL}', // ${prefix}_API_URL moves it
  // How long responses are fresh, in seconds, where the API does not say it. If neither the API nor a rule does, nothing is a hit.
  // rules: [{ path: '/*', defaultTtl: 60 }],
  // The names to invalidate by of what is stored under a path: ${example.path} has ${example.tags.map((tag) => `"${tag}"`).join(' and ')}.
  tags: (path) => {
    const [${', '.repeat(example.before + 1)}kind = '', id = ''] = path.split('/');
    return [kind, id === '' ? '' : \`\${kind}:\${id}\`].filter((tag) => tag !== '');
  },${projection === undefined ? '' : problems}
});
`;
}

/** A route whose answer is derived from a resource: a service that reads it, and a controller. */
function projectionFiles({ name, className, constant, imports }: Names, path: string): readonly [string, string][] {
  const { kit, suffix } = imports;
  const parameters = path.split('/').filter((segment) => segment.startsWith(':'));
  return [
    [
      `${name}.service.ts`,
      `import { Injectable } from '@nestjs/common';
import { z } from 'zod';
import { AppError, InjectUpstream, UpstreamClient, type HandlerLoad, type Projected } from '${kit}';
import { ${constant} } from './${name}.definition${suffix}';

/** The members of ${path} that the answer is derived from. */
const source${className} = z.object({ id: z.unknown() });

export interface ${className}Summary {
  readonly hasId: boolean;
}

@Injectable()
export class ${className}Service {
  constructor(@InjectUpstream(${constant}) private readonly client: UpstreamClient) {}

  /** Derived from what the gateway has stored if that is fresh, else from a new response. */
  summary(load: HandlerLoad): Promise<Projected<${className}Summary>> {
    return this.client.project(load, (source) => {
      if (source.status === 404) throw new AppError('${name}-not-found', 'Nothing has this name.');
      const { id } = source.json(source${className});
      return { hasId: id !== undefined };
    });
  }
}
`,
    ],
    [
      `${name}.controller.ts`,
      `import { Controller, Get } from '@nestjs/common';
import { CurrentLoad, ProjectionOf, type HandlerLoad } from '${kit}';
import { ${constant} } from './${name}.definition${suffix}';
import { ${className}Service } from './${name}.service${suffix}';

@Controller('${summaryRoute(name)}')
export class ${className}Controller {
  constructor(private readonly service: ${className}Service) {}

  @Get('${parameters.join('/')}')
  @ProjectionOf(${constant}, '${path}', { hitFlagName: 'cached' })
  summary(@CurrentLoad() load: HandlerLoad) {
    return this.service.summary(load);
  }
}
`,
    ],
  ];
}

/** The first segment of the path of an upstream's own route. */
export function summaryRoute(name: string): string {
  return `${name}-summary`;
}

function module({ name, className, constant, projection, imports }: Names): string {
  const { kit, suffix } = imports;
  const [own, feature] =
    projection === undefined
      ? ['', '']
      : [
          `import { ${className}Controller } from './${name}.controller${suffix}';\n`,
          `, {
      controllers: [${className}Controller],
      providers: [${className}Service],
    }`,
        ];
  const service = own && `import { ${className}Service } from './${name}.service${suffix}';\n`;
  return `import { Module } from '@nestjs/common';
import { UpstreamModule } from '${kit}';
${own}import { ${constant} } from './${name}.definition${suffix}';
${service}
/** Gateway, client, budget, metrics and documents of ${className}. */
@Module({
  imports: [${own && '\n    '}UpstreamModule.register(${constant}${feature})${own && ',\n  '}],
})
export class ${className}Module {}
`;
}

function spec({ name, className, constant, imports, example }: Names): string {
  const { testing, suffix } = imports;
  const tags = example.tags.map((tag) => `'${tag}'`).join(', ');
  return `import { describeUpstream } from '${testing}';
import { ${constant} } from './${name}.definition${suffix}';
import { ${className}Module } from './${name}.module${suffix}';

// What every upstream keeps to. The suite plays the API: say how it answers with \`answer\`.
describeUpstream(${constant}, ${className}Module, { path: '${example.path}' });

describe('the tags of ${className}', () => {
  it('name the kind of a thing, and the thing', () => {
    expect(${constant}.tags?.('${example.path}')).toEqual([${tags}]);
  });
});
`;
}

/** The settings of a new upstream, as `.env.sample` has them. */
export function settingsSample({ name, baseUrl }: Pick<SkeletonOptions, 'name' | 'baseUrl'>): string {
  const title = classNameOf(name);
  const settings = `
# Whether ${title}'s API is there at all: true or false.
ENABLED=true
# The base URL of the API.
API_URL=${baseUrl ?? NO_URL}
# Sent with the service's own requests.
TOKEN=
# The other settings mean what they mean for the APIs above.
ROUTE_PREFIX=/${name}
PROFILE=
SHARE_TOKEN=false
FORWARD_HEADERS=
RULES_FILE=
SETTLE_SECONDS=10
RESERVE=0.1
MAX_CONCURRENCY=64
POINTS_PER_MINUTE=0
`;
  return `## ${title}${settings.replaceAll(/^(?=[A-Z_]+=)/gm, `${name.toUpperCase().replaceAll('-', '_')}_`)}`;
}

/** `my-api` is `MyApi`. */
export function classNameOf(name: string): string {
  return name
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
