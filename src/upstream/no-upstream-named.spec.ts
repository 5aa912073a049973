import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const src = join(__dirname, '..');
/** A dictionary of header fields as they are found, part of the stored format, and the list of modules. */
const EXEMPT: ReadonlySet<string> = new Set(['cache/core/static-fields.ts', 'app.module.ts']);

it('no file outside of its folder names the upstream that a team defines there', () => {
  const folders = readdirSync(src, { withFileTypes: true })
    .filter((one) => one.isDirectory() && readdirSync(join(src, one.name)).includes(`${one.name}.definition.ts`))
    .map(({ name }) => name);
  expect(folders).toContain('github');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.ts') && !path.endsWith('.spec.ts') && !EXEMPT.has(path),
  );
  const naming = folders.flatMap((folder) =>
    files
      .filter((path) => !path.startsWith(`${folder}/`))
      .filter((path) => readFileSync(join(src, path), 'utf8').toLowerCase().includes(folder))
      .map((path) => `${path} names ${folder}`),
  );
  expect(naming).toEqual([]);
});
