import cluster, { type Worker } from 'node:cluster';
import { hostname } from 'node:os';
import { isStoreMessage, type StoreMessage, type StorePort } from '../cache';
import type { WorkerMetric } from './worker-metrics';

/*
 * The line between a worker and the primary process of one service (node:cluster): store messages, the asking for metrics, and texts of one
 * worker for the others.
 */

/** The kinds of requests: the metrics of one worker, or of all. */
type RequestKind = 'own-metrics' | 'all-metrics';

interface Message {
  readonly larder: 'request' | 'response';
  readonly what: RequestKind;
  readonly id: number;
  readonly value?: unknown;
  readonly failure?: string;
}

/** One end of the line, in either process. */
interface LineEnd {
  send?(message: Message): unknown;
  on(event: string, listener: (message: unknown) => void): unknown;
  off(event: string, listener: (message: unknown) => void): unknown;
}

/** How long a worker may take to send its metrics, in milliseconds. */
const OWN_METRICS_MS = 1_000;
const ALL_METRICS_MS = 2_000;

function isMessage(message: unknown): message is Message {
  return typeof message === 'object' && message !== null && 'larder' in message;
}

/** Whether this process is one of several of one service, started by its primary. */
export function isWorker(): boolean {
  return cluster.isWorker;
}

/** Names this replica among all, the same in each of its workers. */
export function replicaName(): string {
  return `${hostname()}:${isWorker() ? process.ppid : process.pid}`;
}

/** The worker's end for the store that its primary keeps; undefined in a process of its own. */
export function portToPrimary(): StorePort | undefined {
  if (!cluster.isWorker) return undefined;
  return {
    post: (message) => {
      if (process.connected) process.send?.(message);
    },
    onMessage: (listener) =>
      void process.on('message', (message: unknown) => {
        if (isStoreMessage(message)) listener(message);
      }),
    onClose: (listener) => void process.on('disconnect', listener),
  };
}

/** The primary's end for the store of one worker. */
export function portToWorker(worker: Worker): StorePort {
  return {
    post: (message: StoreMessage) => {
      if (worker.isConnected()) worker.send(message);
    },
    onMessage: (listener) =>
      void worker.on('message', (message: unknown) => {
        if (isStoreMessage(message)) listener(message);
      }),
    onClose: (listener) => void worker.once('exit', listener),
  };
}

/** The metrics of all workers as one text. */
export function requestAllMetrics(): Promise<string> {
  return request(process, 'all-metrics', ALL_METRICS_MS) as Promise<string>;
}

/** The metrics of one worker. */
export function requestOwnMetrics(worker: Worker): Promise<readonly WorkerMetric[]> {
  return request(worker, 'own-metrics', OWN_METRICS_MS) as Promise<readonly WorkerMetric[]>;
}

/** Answers a worker that asks so. */
export function serveAllMetrics(worker: Worker, read: () => Promise<string>): void {
  answer(worker, 'all-metrics', read, () => worker.isConnected());
}

/** Answers the primary process, in a worker. */
export function serveOwnMetrics(read: () => Promise<unknown>): void {
  answer(process, 'own-metrics', read, () => process.connected);
}

/** A text of one worker for all others, which its primary process passes on. */
interface Relayed {
  readonly larder: 'relayed';
  readonly text: string;
}

function isRelayed(message: unknown): message is Relayed {
  return typeof message === 'object' && message !== null && (message as { larder?: unknown }).larder === 'relayed';
}

/** Sends a text to the other workers of the service, where there are any; it may be lost. */
export function sendToWorkers(text: string): void {
  if (cluster.isWorker && process.connected) process.send?.({ larder: 'relayed', text } satisfies Relayed);
}

/** Listens to the texts of the other workers. */
export function onWorkerMessage(listener: (text: string) => void): void {
  if (!cluster.isWorker) return;
  process.on('message', (message: unknown) => {
    if (isRelayed(message)) listener(message.text);
  });
}

/** Passes texts of one worker on to all others, in the primary process. */
export function relayToOthers(worker: Worker): void {
  worker.on('message', (message: unknown) => {
    if (!isRelayed(message)) return;
    for (const other of Object.values(cluster.workers ?? {}))
      if (other && other !== worker && other.isConnected()) other.send(message);
  });
}

let questions = 0;

function request(end: LineEnd, what: RequestKind, timeoutMs: number): Promise<unknown> {
  const id = ++questions;
  return new Promise((resolve, reject) => {
    const settle = (act: () => void): void => {
      clearTimeout(timer);
      end.off('message', onMessage);
      end.off('disconnect', lose);
      act();
    };
    const onMessage = (message: unknown): void => {
      if (!isMessage(message) || message.larder !== 'response' || message.what !== what || message.id !== id) return;
      const { value, failure } = message;
      settle(() => (failure === undefined ? resolve(value) : reject(new Error(failure))));
    };
    const lose = (): void => settle(() => reject(new Error('the line is closed')));
    const timer = setTimeout(() => settle(() => reject(new Error(`no answer within ${timeoutMs} ms`))), timeoutMs);
    end.on('message', onMessage);
    end.on('disconnect', lose);
    end.send?.({ larder: 'request', what, id });
  });
}

function answer(end: LineEnd, what: RequestKind, read: () => Promise<unknown>, isConnected: () => boolean): void {
  end.on('message', (message) => {
    if (!isMessage(message) || message.larder !== 'request' || message.what !== what) return;
    const respond = (result: Pick<Message, 'value' | 'failure'>): void => {
      if (isConnected()) end.send?.({ larder: 'response', what, id: message.id, ...result });
    };
    read().then(
      (value) => respond({ value }),
      (error: unknown) => respond({ failure: error instanceof Error ? error.message : String(error) }),
    );
  });
}
