import { resolve } from 'node:path';
import { repositoryRoot } from './build-service';
import { freePort } from './free-port';
import { OwnedProcess } from './owned-process';
import { request } from './raw-http';
import { waitUntil } from './wait-until';

export interface ServiceOptions {
  /** The service's variables. PORT is a free one unless set; of the test's own environment only a few neutral ones pass. */
  env?: Readonly<Record<string, string | undefined>>;
  /** Arguments of the service. */
  args?: readonly string[];
  /** Arguments of node: `--max-old-space-size=64`, `--require`. */
  nodeArgs?: readonly string[];
  /** The script, from the repository's root. */
  entry?: string;
  /** Any answer to a GET of this path means that the service is up. */
  readyPath?: string;
  readyTimeoutMs?: number;
}

/** A slow machine is no outage: tests in which Redis stands still, or a replica with a lease dies, say how soon that counts as one. */
const PATIENT = { REDIS_COMMAND_TIMEOUT_MS: '10000', CACHE_LEASE_MS: '10000' };

const passedOn = ['PATH', 'HOME', 'TMPDIR', 'LANG', 'TZ', 'NODE_V8_COVERAGE'];
const STOP_TIMEOUT_MS = 20_000;

/** The built service as a real process: for signals, crashes and more than one replica. It dies with the test process. */
export class ServiceProcess {
  private constructor(
    readonly port: number,
    private readonly child: OwnedProcess,
  ) {}

  /** Resolves when the service answers; rejects with what it printed if it ends before. */
  static async start(options: ServiceOptions = {}): Promise<ServiceProcess> {
    const { env = {}, args = [], nodeArgs = [], entry = 'dist/src/main.js' } = options;
    const port = env['PORT'] === undefined ? await freePort() : Number(env['PORT']);
    const inherited = Object.fromEntries(passedOn.map((name) => [name, process.env[name]]));
    const child = OwnedProcess.spawn(process.execPath, [...nodeArgs, resolve(repositoryRoot, entry), ...args], {
      cwd: repositoryRoot,
      env: {
        ...{ ...inherited, NODE_ENV: 'test', ...(env['REDIS_ENDPOINT_URI'] !== undefined && PATIENT) },
        ...{ ...env, PORT: String(port) },
      },
    });
    const service = new ServiceProcess(port, child);
    try {
      await service.untilReady(options.readyPath ?? '/health/live', options.readyTimeoutMs ?? 60_000);
      return service;
    } catch (error) {
      await child.kill();
      const message = error instanceof Error ? error.message : String(error);
      throw new Error(`${message}; it printed:\n${child.output()}`, { cause: error });
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get isRunning(): boolean {
    return this.child.isRunning;
  }

  /** The exit code, 128 plus the signal's number after a signal. */
  get exited(): Promise<number> {
    return this.child.exited;
  }

  /** All it has printed so far. */
  stdout(): string {
    return this.child.stdout();
  }

  stderr(): string {
    return this.child.stderr();
  }

  /** Resolves with the match once the output, of either kind, has one. */
  async waitForLog(pattern: RegExp, timeoutMs = 60_000): Promise<RegExpMatchArray> {
    let match: RegExpMatchArray | null = null;
    await waitUntil(() => (match = this.child.output().match(pattern)) !== null, {
      what: `${String(pattern)} in the service's output`,
      timeoutMs,
    });
    return match!;
  }

  /** Until then entries are kept in its own memory, and dropped when it reaches Redis. */
  async untilRedisIsUp(): Promise<void> {
    const isUp = async () => (await request(`${this.url}/health`)).body.toString().includes('"state":"up"');
    await waitUntil(isUp, { what: 'Redis' });
  }

  /** Nobody reads what it prints from now on. */
  leaveOutput(): void {
    this.child.leaveOutput();
  }

  /** SIGSTOP; the kernel still accepts connections for it. */
  freeze(): Promise<void> {
    return this.child.freeze();
  }

  thaw(): void {
    this.child.thaw();
  }

  /** Sends a signal and does not wait; `exited` tells the end. */
  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.child.signal(signal);
  }

  /** SIGTERM, to a frozen process as well; resolves with the exit code. What does not end in time is killed, and an error. */
  async stop(timeoutMs = STOP_TIMEOUT_MS): Promise<number> {
    this.child.signal('SIGTERM');
    this.child.thaw();
    try {
      await waitUntil(() => !this.child.isRunning, { what: 'the service to end after SIGTERM', timeoutMs });
    } catch (error) {
      await this.child.kill();
      throw error;
    }
    return this.child.exited;
  }

  private async untilReady(path: string, timeoutMs: number): Promise<void> {
    await waitUntil(async () => !this.child.isRunning || (await this.isAnswering(path)), {
      what: `the service on port ${this.port} to answer`,
      timeoutMs,
      pollMs: 20,
    });
    if (!this.child.isRunning) throw new Error(`The service ended with code ${await this.child.exited} at its start`);
  }

  private async isAnswering(path: string): Promise<boolean> {
    const { status } = await request(`${this.url}${path}`, { timeoutMs: 1000 });
    return status > 0;
  }
}
