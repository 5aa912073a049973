import cluster, { type Worker } from 'node:cluster';
import { availableParallelism } from 'node:os';
import type { LoggerService } from '@nestjs/common';
import type { StoreHost } from '../cache';
import { requestOwnMetrics, portToWorker, relayToOthers, serveAllMetrics } from './worker-channel';
import { WorkerMetrics } from './worker-metrics';

/** A worker that lived so long ended for a reason of its own, not because it cannot start. */
const LIVED_MS = 5_000;
const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;
/** The extra time that a worker gets to exit beyond its own limit. */
const GRACE_MS = 2_000;

export interface PrimaryOptions {
  readonly workers: number;
  readonly shutdownTimeoutMs: number;
  /** Keeps the entries for all workers; undefined where Redis does. */
  readonly store: StoreHost | undefined;
  /** Variables of the workers, over those of this process. */
  readonly env: Readonly<Record<string, string>>;
  readonly logger: LoggerService;
  /** Whether the workers speak TLS: then SIGHUP has them read their certificate again; without it, it ends the service. */
  readonly isHttps: boolean;
}

/** How many workers `WORKERS` asks for. */
export function numberOfWorkers(setting: number | 'auto'): number {
  return setting === 'auto' ? availableParallelism() : setting;
}

/** How many processes of the service share the machine's memory: the workers, and the one that starts them. */
export function processesOf(setting: number | 'auto'): number {
  const workers = numberOfWorkers(setting);
  return workers > 1 ? workers + 1 : 1;
}

/**
 * The process that starts the workers, shares the listening socket of the one port with them (node:cluster), starts another for one
 * that died, and ends with the last of them. It serves no request and accepts no connection itself.
 *
 * Each worker accepts from the shared socket (`SCHED_NONE`), so that a worker that is killed leaves no client waiting: a connection is
 * either still in the kernel's queue, where another worker accepts it, or the worker's own, which the kernel closes. With node's round
 * robin (`SCHED_RR`) it would not be so:
 *
 *   1. the primary accepts a connection and sends it to worker A, keeping its copy until A has confirmed it
 *   2. A is killed first; the primary forgets the connection with its copy open
 *   3. the client waits for ever for an answer on a connection that no process reads
 *
 * A worker that cannot start at all ends the service with its exit code: a wrong setting is not tried for ever.
 */
export class Primary {
  private readonly metrics = new WorkerMetrics();
  private readonly startedAt = new Map<number, number>();
  private isStopping = false;
  private hasListened = false;
  private failuresInARow = 0;

  constructor(private readonly options: PrimaryOptions) {}

  start(): void {
    cluster.schedulingPolicy = cluster.SCHED_NONE;
    cluster.setupPrimary({ serialization: 'advanced' });
    cluster.on('listening', (worker, { address, port }) => {
      this.metrics.join(worker.id, () => requestOwnMetrics(worker));
      this.logListening(address, port);
    });
    cluster.on('exit', (worker, code, signal) => this.replace(worker, code, signal));
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const) process.on(signal, () => this.stop());
    process.on('SIGHUP', () => {
      if (!this.options.isHttps) this.stop();
      else for (const worker of Object.values(cluster.workers ?? {})) worker?.process.kill('SIGHUP');
    });
    for (let started = 0; started < this.options.workers; started++) this.fork();
  }

  private fork(): void {
    const { env, store } = this.options;
    const worker = cluster.fork(env);
    this.startedAt.set(worker.id, performance.now());
    // A message to a worker that was just killed fails (EPIPE) before its 'exit', whose handler does the rest.
    worker.on('error', () => undefined);
    store?.serve(portToWorker(worker));
    serveAllMetrics(worker, () => this.metrics.read());
    relayToOthers(worker);
  }

  private replace(worker: Worker, code: number, signal: string | null): void {
    const livedMs = performance.now() - (this.startedAt.get(worker.id) ?? 0);
    this.startedAt.delete(worker.id);
    this.metrics.leave(worker.id);
    if (this.isStopping) {
      if (this.startedAt.size === 0) process.exit(0);
      return;
    }
    if (!this.hasListened) {
      // The worker has logged the problem itself.
      for (const other of Object.values(cluster.workers ?? {})) other?.process.kill('SIGKILL');
      process.exit(code === 0 ? 1 : code);
    }
    this.failuresInARow = livedMs < LIVED_MS ? this.failuresInARow + 1 : 0;
    const pauseMs =
      this.failuresInARow === 0 ? 0 : Math.min(FIRST_PAUSE_MS * 2 ** (this.failuresInARow - 1), MAX_PAUSE_MS);
    const { logger } = this.options;
    logger.warn(`Worker ${worker.id} ended (${signal ?? `exit code ${code}`}); another starts.`, 'Workers');
    setTimeout(() => {
      if (!this.isStopping) this.fork();
    }, pauseMs);
  }

  private stop(): void {
    if (this.isStopping) return;
    this.isStopping = true;
    const workers = Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    if (workers.length === 0) process.exit(0);
    for (const worker of workers) worker.process.kill('SIGTERM');
    setTimeout(() => {
      for (const worker of workers) worker.process.kill('SIGKILL');
    }, this.options.shutdownTimeoutMs + GRACE_MS).unref();
  }

  private logListening(address: string, port: number): void {
    if (this.hasListened) return;
    this.hasListened = true;
    const { logger, workers } = this.options;
    const url = `${this.options.isHttps ? 'https' : 'http'}://${address.includes(':') ? `[${address}]` : address}:${port}`;
    logger.log(`${workers} workers listen on ${url}; the page is at /`, 'Larder');
  }
}
