import cluster, { type Worker } from 'node:cluster';
import { isStoreMessage, type StoreMessage, type StorePort } from '../cache';

/*
 * The line between a worker and the primary process of one service (node:cluster): store messages and the asking for metrics.
 */

/** A worker's question for the metrics of all, and the primary's answer. */
interface MetricsMessage {
  readonly larder: 'metrics-asked' | 'metrics-told';
  readonly id: number;
  readonly text?: string;
  readonly failure?: string;
}

function isMetricsMessage(message: unknown): message is MetricsMessage {
  return typeof message === 'object' && message !== null && 'larder' in message; // prom-client sends its own beside it
}

/** Whether this process is one of several of one service, started by its primary. */
export function isWorker(): boolean {
  return cluster.isWorker;
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

let asked = 0;

/** The metrics of all workers as one text. */
export function askForMetrics(): Promise<string> {
  const id = ++asked;
  return new Promise((resolve, reject) => {
    const hear = (message: unknown): void => {
      if (!isMetricsMessage(message) || message.id !== id) return;
      process.off('message', hear);
      if (message.text === undefined) reject(new Error(message.failure));
      else resolve(message.text);
    };
    process.on('message', hear);
    process.send?.({ larder: 'metrics-asked', id } satisfies MetricsMessage);
  });
}

/** Answers a worker that asks so. */
export function answerForMetrics(worker: Worker, read: () => Promise<string>): void {
  worker.on('message', (message: unknown) => {
    if (!isMetricsMessage(message)) return;
    const tell = (answer: Partial<MetricsMessage>): void => {
      if (worker.isConnected()) worker.send({ larder: 'metrics-told', id: message.id, ...answer });
    };
    read().then(
      (text) => tell({ text }),
      (error: unknown) => tell({ failure: error instanceof Error ? error.message : String(error) }),
    );
  });
}
