import type { CacheStore, EntryListing, SharedState, StoreChange } from '../cache-store';

/**
 * The messages between the workers of one service and the process that keeps their entries: calls, their results, and pushed changes.
 * Between two processes messages keep their order.
 */

/** The operations that may be called from another process, by the part of the store that has them; no other is answered. */
export const REMOTE_OPERATIONS = {
  entries: ['find', 'acquire', 'renew', 'fill', 'isStanding', 'release', 'fail', 'put', 'invalidate'],
  shared: ['claim', 'isClaimed', 'compareAndSet', 'read', 'readAll', 'appendToLog', 'readLog'],
  listing: ['inspect', 'list', 'count'],
} as const satisfies {
  readonly entries: readonly (keyof CacheStore)[];
  readonly shared: readonly (keyof SharedState)[];
  readonly listing: readonly (keyof EntryListing)[];
};

export type StorePart = keyof typeof REMOTE_OPERATIONS;
export type RemoteEntries = Pick<CacheStore, (typeof REMOTE_OPERATIONS)['entries'][number]>;

export type StoreMessage =
  | {
      readonly store: 'call';
      readonly id: number;
      readonly part: StorePart;
      readonly operation: string;
      readonly args: readonly unknown[];
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
