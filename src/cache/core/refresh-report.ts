import { AppError } from '../../kernel/app-error';

/** What became of a load that no request waited for. */
export interface RefreshReport {
  readonly upstream: string;
  readonly key: string;
  /** The error code; absent where the load succeeded. */
  readonly failure?: string;
}

export type RefreshListener = (report: RefreshReport) => void;

/** The code of an upstream's own failure, such as 503, which is a response but no success (RFC 5861 §4). */
export const UPSTREAM_ERROR = 'upstream-error';

export function failureOf(error: unknown): string {
  return error instanceof AppError ? error.code : 'internal';
}
