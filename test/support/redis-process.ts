import { execFile } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { getExecutable } from './executables';
import { freePort } from './free-port';
import { OwnedProcess } from './owned-process';
import { configFile, type RedisOptions } from './redis-options';
import { RespConnection, type RespArgument, type RespTarget } from './resp-connection';
import { textOf, type RespValue } from './resp-reader';
import { makeTempFolder, removeTempFolder } from './temp-folder';
import { waitUntil } from './wait-until';

export interface RestartOptions {
  /** Load what `save` wrote; otherwise the server comes back empty. */
  keepData?: boolean;
  /** False: resolve when the process is spawned, to see it while it loads its data. */
  awaitReady?: boolean;
}

/**
 * A real redis-server on a free port of 127.0.0.1, for tests to freeze, kill, restart and question. Whatever happens to the
 * test, the server does not outlive it.
 */
export class RedisProcess {
  private secret: string | undefined;

  private constructor(
    readonly port: number,
    readonly dir: string,
    private readonly options: RedisOptions,
    private child: OwnedProcess,
  ) {
    this.secret = options.password;
  }

  /** Resolves when the server answers. Without a port of your own, one that another process snatched is tried anew. */
  static async start(options: RedisOptions = {}): Promise<RedisProcess> {
    const dir = options.dir ?? makeTempFolder('redis');
    for (let triesLeft = options.port === undefined ? 3 : 1; ; triesLeft -= 1) {
      const port = options.port ?? (await freePort());
      const started = new RedisProcess(port, dir, options, launch(options, port, dir));
      try {
        await started.untilReady();
        return started;
      } catch (error) {
        const isPortTaken = started.log().includes('Address already in use');
        if (isPortTaken && triesLeft > 1) continue;
        await started.child.kill();
        if (options.dir === undefined) removeTempFolder(dir);
        throw error;
      }
    }
  }

  /** Without credentials: those are settings of their own. */
  get uri(): string {
    return `${this.options.tls === undefined ? 'redis' : 'rediss'}://127.0.0.1:${this.port}`;
  }

  get username(): string | undefined {
    return this.options.username;
  }

  get password(): string | undefined {
    return this.secret;
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get isRunning(): boolean {
    return this.child.isRunning;
  }

  /** True while it runs and is not frozen. */
  get isServing(): boolean {
    return this.child.isServing;
  }

  /** What the server has logged since it was last started. */
  log(): string {
    return this.child.output();
  }

  /** One command on a connection of its own; the reply as text (see `textOf`), an error reply as a rejection. */
  async command(...args: RespArgument[]): Promise<string> {
    return textOf(await this.query(...args));
  }

  /** As `command`, with the reply as it is. */
  async query(...args: RespArgument[]): Promise<RespValue> {
    const connection = await this.connect();
    try {
      return await connection.send(...args);
    } finally {
      connection.close();
    }
  }

  /** A connection to keep: for MULTI, WATCH, SUBSCRIBE, CLIENT TRACKING. The caller closes it. */
  connect(timeoutMs?: number): Promise<RespConnection> {
    return RespConnection.open({ ...this.target(), timeoutMs });
  }

  /** Runs the real redis-cli against this server and returns what it prints. */
  async cli(...args: string[]): Promise<string> {
    const { tls, username } = this.options;
    const connection = ['-h', '127.0.0.1', '-p', String(this.port), '--no-auth-warning'];
    if (username !== undefined) connection.push('--user', username);
    if (this.secret !== undefined) connection.push('-a', this.secret);
    if (tls !== undefined) {
      connection.push('--tls', '--insecure', '--cacert', tls.caFile, '--cert', tls.certFile, '--key', tls.keyFile);
    }
    const { stdout } = await promisify(execFile)(getExecutable('redis-cli'), [...connection, ...args]);
    return stdout.trim();
  }

  /** Whether a PING is answered in time. */
  async isAnswering(timeoutMs = 300): Promise<boolean> {
    try {
      const connection = await this.connect(timeoutMs);
      await connection.send('PING').finally(() => connection.close());
      return true;
    } catch {
      return false;
    }
  }

  /** SIGSTOP: connections are still accepted, nothing answers. */
  freeze(): Promise<void> {
    return this.child.freeze();
  }

  /** SIGCONT; resolves when it answers again. */
  async thaw(): Promise<void> {
    this.child.thaw();
    await this.untilReady();
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.child.kill();
  }

  /** Starts it again on the same port, after killing it if it still runs. */
  async restart({ keepData = false, awaitReady = true }: RestartOptions = {}): Promise<void> {
    await this.kill();
    if (!keepData) rmSync(join(this.dir, 'dump.rdb'), { force: true });
    this.child = launch({ ...this.options, password: this.secret }, this.port, this.dir);
    if (awaitReady) await this.untilReady();
  }

  /** Writes dump.rdb, for `restart({ keepData: true })`. */
  async save(): Promise<void> {
    await this.command('SAVE');
  }

  /** Changes the password for new connections; those that are open stay as they are, as Redis has it. */
  async rotatePassword(password: string): Promise<void> {
    if (this.username === undefined) await this.command('CONFIG', 'SET', 'requirepass', password);
    else await this.command('ACL', 'SETUSER', this.username, 'resetpass', `>${password}`);
    this.secret = password;
  }

  /** Kills it and removes its temporary folder. */
  async stop(): Promise<void> {
    await this.kill();
    if (this.options.dir === undefined) removeTempFolder(this.dir);
  }

  private async untilReady(): Promise<void> {
    await waitUntil(async () => !this.child.isRunning || (await this.isReady()), {
      what: `redis-server on port ${this.port} to answer`,
    });
    if (!this.child.isRunning) throw new Error(`redis-server on port ${this.port} did not start:\n${this.log()}`);
  }

  /** It answers, and it is ours: another process may have taken the port a moment before. */
  private async isReady(): Promise<boolean> {
    return (
      (await this.isAnswering(1000)) && (await this.command('INFO', 'server')).includes(`process_id:${this.pid ?? 0}`)
    );
  }

  private target(): RespTarget {
    return { port: this.port, username: this.username, password: this.secret, tls: this.options.tls };
  }
}

function launch(options: RedisOptions, port: number, dir: string): OwnedProcess {
  const file = join(dir, 'redis.conf');
  writeFileSync(file, configFile(options, port, dir));
  return OwnedProcess.spawn(getExecutable('redis-server'), [
    file,
    ...(options.isSentinel === true ? ['--sentinel'] : []),
  ]);
}
