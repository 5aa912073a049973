/** Where the files of a skeleton import from. */
export interface SkeletonImports {
  readonly kit: string;
  readonly testing: string;
  /** What a relative import ends with. */
  readonly suffix: '' | '.js';
}

export interface SkeletonOptions {
  readonly name: string;
  readonly baseUrl: string | undefined;
  readonly imports: SkeletonImports;
}

/** The files of a new upstream by their names: they compile, and the spec passes, as they are. */
export function upstreamSkeleton({ name, baseUrl, imports }: SkeletonOptions): ReadonlyMap<string, string> {
  const { kit, testing, suffix } = imports;
  const className = classNameOf(name);
  const constant = `${className.charAt(0).toLowerCase()}${className.slice(1)}Api`;
  const prefix = name.toUpperCase().replaceAll('-', '_');
  return new Map([
    [
      `${name}.definition.ts`,
      `import { defineUpstream } from '${kit}';

/** ${className} behind the cache at /${name}. Every member: docs/guides/add-an-upstream.md */
export const ${constant} = defineUpstream({
  name: '${name}',
  title: '${className}',
  baseUrl: '${baseUrl ?? 'https://api.example.com'}', // ${prefix}_API_URL moves it
  // The names to invalidate by of what is stored under a path: /items/7 has "items" and "items:7".
  tags: (path) => {
    const [, kind = '', id = ''] = path.split('/');
    return [kind, id === '' ? '' : \`\${kind}:\${id}\`].filter((tag) => tag !== '');
  },
});
`,
    ],
    [
      `${name}.module.ts`,
      `import { Module } from '@nestjs/common';
import { UpstreamModule } from '${kit}';
import { ${constant} } from './${name}.definition${suffix}';

/** Gateway, client, budget, metrics and documents of ${className}. */
@Module({ imports: [UpstreamModule.register(${constant})] })
export class ${className}Module {}
`,
    ],
    [
      `${name}.spec.ts`,
      `import { describeUpstream } from '${testing}';
import { ${constant} } from './${name}.definition${suffix}';
import { ${className}Module } from './${name}.module${suffix}';

// What every upstream keeps to. The suite plays the API: say how it answers with \`answer\`.
describeUpstream(${constant}, ${className}Module, { path: '/items/7' });

describe('the tags of ${className}', () => {
  it('name the kind of a thing, and the thing', () => {
    expect(${constant}.tags?.('/items/7')).toEqual(['items', 'items:7']);
  });
});
`,
    ],
  ]);
}

/** `my-api` is `MyApi`. */
export function classNameOf(name: string): string {
  return name
    .split('-')
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join('');
}
