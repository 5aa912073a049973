import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const TYPES = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
} as const;

export interface PageFile {
  readonly type: string;
  readonly body: string;
}

/** The page's files by name, read once. They stand in `web/` beside package.json, from source and from `dist` alike. */
export function readPageFiles(): ReadonlyMap<string, PageFile> {
  const folder = join(projectRoot(__dirname), 'web');
  const names = { 'index.html': TYPES.html, 'page.css': TYPES.css, 'page.js': TYPES.js };
  return new Map(
    Object.entries(names).map(([name, type]) => [name, { type, body: readFileSync(join(folder, name), 'utf8') }]),
  );
}

function projectRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('The page is missing: no package.json above the service.');
  return projectRoot(parent);
}
