import type { InvalidationMode } from '../cache';

export const MAX_TARGET_LENGTH = 500;

/** What an admin has invalidated. */
export interface AuditedInvalidation {
  readonly target: string;
  readonly mode: InvalidationMode;
  readonly count: number;
}

/** What is known of an admin's request while it is handled. Never a token. */
export interface AdminAction {
  /** The address of the request. */
  readonly by: string;
  /** The name of its token; undefined while it has shown none. */
  token?: string;
  readonly requestId: string;
  /** What it has invalidated, exactly. */
  invalidation?: AuditedInvalidation;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Of requests that `AdminGuard` has seen. */
    adminAction?: AdminAction;
  }
}
