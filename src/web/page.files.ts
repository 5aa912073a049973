import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { projectRoot } from '../kernel/project-root';
import { CODINGS, type FileCoding } from './accepted-coding';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
};
const SUFFIXES = { br: '.br', gzip: '.gz', identity: '' } as const;
/** RFC 8246: an immutable response is not asked for again while it is fresh. */
const IMMUTABLE = 'public, max-age=31536000, immutable';

export interface PageFile {
  readonly type: string;
  readonly cacheControl: string;
  /** The bytes by coding; `identity` is always there. */
  readonly forms: ReadonlyMap<FileCoding, PageForm>;
}

export interface PageForm {
  readonly body: Buffer;
  readonly etag: string;
}

/** The page's files, for the controllers that serve them. */
export class PageFiles {
  constructor(private readonly files: ReadonlyMap<string, PageFile>) {}

  find(path: string): PageFile | undefined {
    return this.files.get(path);
  }
}

/**
 * The page's files by their path (`index.html`, `assets/…`) as `npm run build` leaves them in `dist/web`, read once: a request never
 * touches the disk, and no path of a request is ever one of the file system. None where the page is not built.
 *
 * @param root the project's folder
 */
export function readPageFiles(root: string = projectRoot()): ReadonlyMap<string, PageFile> {
  const built = join(root, 'dist', 'web');
  return existsSync(join(built, 'index.html')) ? readBuilt(built) : new Map<string, PageFile>();
}

function readBuilt(folder: string): ReadonlyMap<string, PageFile> {
  const assets = join(folder, 'assets');
  const names = existsSync(assets) ? readdirSync(assets, { withFileTypes: true }) : [];
  const served = names.filter((one) => one.isFile() && TYPES[extname(one.name)] !== undefined);
  return new Map([
    ['index.html', readFile(folder, 'index.html')],
    // The build puts a hash of the content into each name: such a file never changes.
    ...served.map(({ name }) => [`assets/${name}`, readFile(assets, name, IMMUTABLE)] as const),
  ]);
}

function readFile(folder: string, name: string, cacheControl = 'no-cache'): PageFile {
  const forms = new Map<FileCoding, PageForm>();
  for (const coding of [...CODINGS, 'identity'] as const) {
    const path = join(folder, name + SUFFIXES[coding]);
    if (coding !== 'identity' && !existsSync(path)) continue;
    const body = readFileSync(path);
    const digest = createHash('sha256').update(body).digest('base64url').slice(0, 22);
    forms.set(coding, { body, etag: `"${digest}"` });
  }
  return {
    type: TYPES[extname(name)] ?? 'application/octet-stream',
    cacheControl,
    forms,
  };
}
