import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port';
import { OwnedProcess } from '../../test/support/owned-process';
import { request } from '../../test/support/raw-http';
import { makeTempFolder, removeTempFolder } from '../../test/support/temp-folder';
import { waitUntil } from '../../test/support/wait-until';
import { SERVER_CORE } from './options';

/** As `npm start` has it; for all Node servers alike. */
const NODE_ARGS = ['--max-semi-space-size=32'];
const TO_FILE = 'exec "$@" > "$0" 2>&1';

/** A server that is measured. */
export interface RunningServer {
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly port: number;
  readonly env?: Readonly<Record<string, string>>;
  /** A path that it answers, whatever the status, once it is up. */
  readonly readyPath?: string;
  /** As `taskset -c` takes it. */
  readonly cores?: string;
  readonly isTls?: boolean;
}

/** Starts a server on its core and resolves when it answers. */
export async function startServer(what: ServerCommand): Promise<RunningServer> {
  const { command, args, port, env = {}, readyPath = '/', cores = String(SERVER_CORE), isTls } = what;
  const folder = makeTempFolder('server');
  const logFile = join(folder, 'output');
  // Into a file: of each line in a pipe the load generator's core would have to take note.
  const child = OwnedProcess.spawn('sh', ['-c', TO_FILE, logFile, 'taskset', '-c', cores, command, ...args], {
    cwd: tmpdir(), // no .env is found there
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
  });
  const url = `${isTls === true ? 'https' : 'http'}://127.0.0.1:${port}`;
  const isUp = async (): Promise<boolean> => (await request(`${url}${readyPath}`, { timeoutMs: 2_000 })).status > 0;
  try {
    await waitUntil(async () => !child.isRunning || (await isUp()), {
      what: `${command} to answer`,
      timeoutMs: 20_000,
    });
    if (!child.isRunning) throw new Error(`${command} ended with code ${await child.exited}`);
  } catch (error) {
    const printed = readFileSync(logFile, 'utf8');
    await end(child, folder);
    const message = error instanceof Error ? error.message : String(error);
    throw new Error(`${message}; it printed:\n${printed}`, { cause: error });
  }
  return { url, pid: child.pid ?? 0, stop: () => end(child, folder) };
}

interface NodeOptions {
  readonly nodeArgs?: string[];
  readonly cores?: string | undefined;
  readonly readyPath?: string;
}

/** Starts a Node script on a free port, told by `PORT`; with `TLS_CERT_FILE` in its environment it serves https. */
export async function startNode(
  script: string,
  env: Readonly<Record<string, string>>,
  { nodeArgs = [], cores, readyPath = '/payload/16' }: NodeOptions = {},
): Promise<RunningServer> {
  const port = await freePort();
  const all = { NODE_ENV: 'production', ...env, PORT: String(port) };
  const args = [...NODE_ARGS, ...nodeArgs, script];
  const isTls = env['TLS_CERT_FILE'] !== undefined;
  return startServer({
    command: process.execPath,
    args,
    port,
    env: all,
    readyPath,
    isTls,
    ...(cores ? { cores } : {}),
  });
}

async function end(child: OwnedProcess, folder: string): Promise<void> {
  child.signal('SIGTERM');
  const hasEnded = await Promise.race([child.exited.then(() => true), new Promise((late) => setTimeout(late, 3_000))]);
  if (hasEnded !== true) await child.kill();
  removeTempFolder(folder);
}
