import type { CacheStore, StoreChange } from '../cache-store';

/**
 * The messages between the workers of one service and the process that keeps their entries: calls, their results, and pushed changes.
 * Between two processes messages keep their order.
 */

/** The operations that may be called from another process; no other is answered. */
export const REMOTE_OPERATIONS = [
  ...(['find', 'acquire', 'renew', 'fill', 'isStanding', 'freshen', 'release', 'fail'] as const),
  ...(['change', 'put', 'invalidate', 'claim', 'isClaimed', 'compareAndSet', 'readNote', 'sharedValues'] as const),
  ...(['inspect', 'list', 'count', 'appendToLog', 'readLog'] as const),
] as const;

export type RemoteOperation = (typeof REMOTE_OPERATIONS)[number];

export type StoreMessage =
  | {
      readonly store: 'call';
      readonly id: number;
      readonly operation: RemoteOperation;
      readonly args: Parameters<CacheStore[RemoteOperation]>;
    }
  | { readonly store: 'result'; readonly id: number; readonly value?: unknown; readonly failure?: string }
  | { readonly store: 'change'; readonly change: StoreChange }
  /** A worker's ping, and the host's pong: every message posted before it has arrived then. */
  | { readonly store: 'ping' | 'pong'; readonly sentAt: number }
  /** The host's request for an acknowledgement of all earlier changes, and the worker's ack. */
  | { readonly store: 'sync' | 'ack'; readonly id: number };

/** How often a worker pings the host, in milliseconds. */
export const PING_MS = 200;
/** How long after an answered ping was sent a worker uses its copies without asking, in milliseconds. */
export const TRUST_MS = 600;

/** One end of the connection between two processes. */
export interface StorePort {
  post(message: StoreMessage): void;
  onMessage(listener: (message: StoreMessage) => void): void;
  onClose(listener: () => void): void;
}

export function isStoreMessage(message: unknown): message is StoreMessage {
  return typeof message === 'object' && message !== null && 'store' in message;
}
