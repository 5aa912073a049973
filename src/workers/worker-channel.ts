import cluster, { type Worker } from 'node:cluster';
import { hostname } from 'node:os';
import { PendingReplies } from '../kernel/pending-replies';
import { isStoreMessage, type StorePort } from '../cache';
import type { WorkerMetric } from './worker-metrics';

/*
 * The line between a worker and the primary process of one service (node:cluster): store messages, the asking for metrics, and texts of one
 * worker for the others.
 */

/** The kinds of requests: the metrics of one worker, or of all. */
type RequestKind = 'own-metrics' | 'all-metrics';

type Message =
  | { readonly larder: 'request'; readonly what: RequestKind; readonly id: number }
  | { readonly larder: 'response'; readonly id: number; readonly value?: unknown; readonly failure?: string }
  /** A text of one worker for all others, which its primary process passes on. */
  | { readonly larder: 'relayed'; readonly text: string };

/** One end of the line: a worker as its primary sees it, or the process of a worker. */
interface End extends Pick<NodeJS.EventEmitter, 'on' | 'off'> {
  send?(message: object): unknown;
  isConnected?(): boolean;
  readonly connected?: boolean;
}

/** How long a worker may take to send its metrics, in milliseconds. */
const OWN_METRICS_MS = 1_000;
const ALL_METRICS_MS = 2_000;

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
  return cluster.isWorker ? portOver(process, 'disconnect') : undefined;
}

/** The primary's end for the store of one worker. */
export function portToWorker(worker: Worker): StorePort {
  return portOver(worker, 'exit');
}

/** The metrics of all workers as one text. */
export function requestAllMetrics(): Promise<string> {
  return request(process, 'all-metrics', ALL_METRICS_MS) as Promise<string>;
}

export function requestOwnMetrics(worker: Worker): Promise<readonly WorkerMetric[]> {
  return request(worker, 'own-metrics', OWN_METRICS_MS) as Promise<readonly WorkerMetric[]>;
}

export function serveAllMetrics(worker: Worker, read: () => Promise<string>): void {
  answer(worker, 'all-metrics', read);
}

/** Answers the primary process, in a worker. */
export function serveOwnMetrics(read: () => Promise<unknown>): void {
  answer(process, 'own-metrics', read);
}

/** Sends a text to the other workers of the service, where there are any; it may be lost. */
export function sendToWorkers(text: string): void {
  if (cluster.isWorker) post(process, { larder: 'relayed', text });
}

/** Listens to the texts of the other workers. */
export function onWorkerMessage(listener: (text: string) => void): void {
  if (cluster.isWorker)
    listen(process, (message) => {
      if (message.larder === 'relayed') listener(message.text);
    });
}

/** Passes texts of one worker on to all others, in the primary process. */
export function relayToOthers(worker: Worker): void {
  listen(worker, (message) => {
    if (message.larder !== 'relayed') return;
    for (const other of Object.values(cluster.workers ?? {})) if (other && other !== worker) post(other, message);
  });
}

function post(end: End, message: object): void {
  if (end.isConnected?.() ?? end.connected) end.send?.(message);
}

/** @returns ends it */
function listen(end: End, listener: (message: Message) => void): () => void {
  const onMessage = (message: unknown): void => {
    if (typeof message === 'object' && message !== null && 'larder' in message) listener(message as Message);
  };
  end.on('message', onMessage);
  return () => void end.off('message', onMessage);
}

function portOver(end: End, closing: 'disconnect' | 'exit'): StorePort {
  return {
    post: (message) => post(end, message),
    onMessage: (listener) =>
      void end.on('message', (message: unknown) => {
        if (isStoreMessage(message)) listener(message);
      }),
    onClose: (listener) => void end.on(closing, listener),
  };
}

const replies = new PendingReplies();

async function request(end: End, what: RequestKind, timeoutMs: number): Promise<unknown> {
  const failed = (problem: string) => (): never => {
    throw new Error(problem);
  };
  let sent = 0;
  const lose = (): void => void replies.settle(sent, failed('the line is closed'));
  const endListening = listen(end, (message) => {
    if (message.larder !== 'response') return;
    const { id, value, failure } = message;
    replies.settle(id, failure === undefined ? () => value : failed(failure));
  });
  end.on('disconnect', lose);
  const send = (id: number): void => {
    sent = id;
    end.send?.({ larder: 'request', what, id } satisfies Message);
  };
  try {
    return await replies.request(timeoutMs, send, failed(`no answer within ${timeoutMs} ms`));
  } finally {
    endListening();
    end.off('disconnect', lose);
  }
}

function answer(end: End, what: RequestKind, read: () => Promise<unknown>): void {
  listen(end, (message) => {
    if (message.larder !== 'request' || message.what !== what) return;
    const { id } = message;
    read().then(
      (value) => post(end, { larder: 'response', id, value }),
      (error: unknown) =>
        post(end, { larder: 'response', id, failure: error instanceof Error ? error.message : String(error) }),
    );
  });
}
