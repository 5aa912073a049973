import type { InvalidationMode } from '../cache';

export const MAX_TARGET_LENGTH = 500;

/** The target of an admin's invalidation. */
export interface AuditedInvalidation {
  readonly target: string;
  readonly mode: InvalidationMode;
  readonly count: number;
}

/** The facts of an admin's request while it is handled. Never a token. */
export interface AdminAction {
  /** The address of the request. */
  readonly by: string;
  /** The name of its token; undefined while it has shown none. */
  token?: string;
  readonly requestId: string;
  /** Its exact targets. */
  invalidation?: AuditedInvalidation;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Set for requests that `AdminGuard` has seen. */
    adminAction?: AdminAction;
  }
}
