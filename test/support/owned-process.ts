import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { forgetProcess, watchProcess } from './reaper';
import { waitUntil } from './wait-until';

export interface SpawnOptions {
  cwd?: string;
  env?: NodeJS.ProcessEnv;
}

/**
 * A child process that a test owns: it is killed when the test process dies, keeps its output as text, and does not keep
 * Jest from ending.
 */
export class OwnedProcess {
  /** The exit code; 128 plus the signal's number when a signal ended it, as a shell tells it. Never rejects. */
  readonly exited: Promise<number>;
  private out = '';
  private err = '';
  private hasExited = false;
  private frozen = false;

  /** Truly private, so that a failing assertion does not print and copy the whole graph of handles. */
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.err += text));
    if (child.pid !== undefined) watchProcess(child.pid);
    this.exited = new Promise((resolve) => {
      const end = (code: number) => {
        this.hasExited = true;
        if (child.pid !== undefined) forgetProcess(child.pid);
        resolve(code);
      };
      // 'close' comes after 'exit', when all the output is in.
      child.once('close', (code, signal) => end(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
      child.once('error', (error) => {
        this.err += error.message;
        if (child.pid === undefined) end(127);
      });
    });
  }

  static spawn(command: string, args: readonly string[], options: SpawnOptions = {}): OwnedProcess {
    const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const handle of handlesOf(child)) handle.unref();
    return new OwnedProcess(child);
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  get isRunning(): boolean {
    return !this.hasExited;
  }

  /** True while it runs and is not frozen. */
  get isServing(): boolean {
    return !this.hasExited && !this.frozen;
  }

  stdout(): string {
    return this.out;
  }

  stderr(): string {
    return this.err;
  }

  /** All it has written, for the message of an error. */
  output(): string {
    return `${this.out}${this.err}`.trim();
  }

  /** Reads nothing that it writes from now on: there is nobody at the other end. */
  leaveOutput(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  /** SIGSTOP: the kernel still accepts connections for it, nothing answers. Resolves when it stands still. */
  async freeze(): Promise<void> {
    this.signal('SIGSTOP');
    this.frozen = true;
    await waitUntil(() => this.isStopped(), { what: `process ${String(this.pid)} to stand still` });
  }

  thaw(): void {
    this.signal('SIGCONT');
    this.frozen = false;
  }

  /** Sends the signal, if the process still runs. */
  signal(signal: NodeJS.Signals): void {
    if (!this.hasExited) this.#child.kill(signal);
  }

  /** SIGKILL, which a frozen process obeys as well. */
  async kill(): Promise<number> {
    // Whoever waits for the end must live to see it.
    for (const handle of handlesOf(this.#child)) handle.ref();
    this.signal('SIGKILL');
    return this.exited;
  }

  private isStopped(): boolean {
    if (process.platform !== 'linux' || this.hasExited) return true;
    const stat = readFileSync(`/proc/${String(this.pid)}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).startsWith('T');
  }
}

interface Handle {
  ref(): void;
  unref(): void;
}

/** What keeps this process alive for the child's sake; the pipes are sockets, which their type does not tell. */
function handlesOf(child: ChildProcess): Handle[] {
  return [child, child.stdout, child.stderr].filter((handle) => handle !== null) as unknown as Handle[];
}
