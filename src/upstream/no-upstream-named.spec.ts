import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const src = join(__dirname, '..');
/** A dictionary of header fields as they are found, part of the stored format, and the list of modules. */
const EXEMPT: ReadonlySet<string> = new Set(['cache/model/static-fields.ts', 'app.module.ts']);

/** The name anywhere, even within a word: `GithubModule`, `X-GitHub-Event`. A command such as `npm run demo` names no API. */
const naming = (folder: string): RegExp => new RegExp(`${folder}(?! (?:run|ci|start|install|test)\\b)`, 'i');

it('no file outside of its folder names the upstream that a team defines there', () => {
  const folders = readdirSync(src, { withFileTypes: true })
    .filter((one) => one.isDirectory() && readdirSync(join(src, one.name)).includes(`${one.name}.definition.ts`))
    .map(({ name }) => name);
  expect(folders).toContain('github');
  const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter(
    (path) => path.endsWith('.ts') && !path.endsWith('.spec.ts') && !EXEMPT.has(path),
  );
  const found = folders.flatMap((folder) =>
    files
      .filter((path) => !path.startsWith(`${folder}/`))
      .filter((path) => naming(folder).test(readFileSync(join(src, path), 'utf8')))
      .map((path) => `${path} names ${folder}`),
  );
  expect(found).toEqual([]);
});
