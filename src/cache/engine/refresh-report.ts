import { AppError } from '../../kernel/app-error';

/** The result of a background load. */
export interface RefreshReport {
  readonly upstream: string;
  readonly key: string;
  /** The error code; absent on success. */
  readonly failure?: string;
}

export type RefreshListener = (report: RefreshReport) => void;

/** The code of an upstream's own failure, such as 503, which is a response but not a success (RFC 5861 §4). */
export const UPSTREAM_ERROR = 'upstream-error';

export function failureOf(error: unknown): string {
  return error instanceof AppError ? error.code : 'internal';
}
