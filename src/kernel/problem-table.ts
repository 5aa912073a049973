/** A feature registers its own codes in the problem table; the service's own are completed in an editor. */
export type ErrorCode = ServiceErrorCode | (string & Record<never, never>);

/** One kind of problem (RFC 9457). */
export interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** Whether the same request may succeed later. */
  readonly mayRetry: boolean;
  /** It is a response of the upstream, worth keeping for the negative TTL. */
  readonly isAnswer?: true;
}

/** The service's own error codes; a test compares `docs/reference/errors.md` with them and with those of the features. */
const OWN_PROBLEMS = {
  'request-invalid': { status: 400, title: 'Request not understood', mayRetry: false },
  'route-not-found': { status: 404, title: 'No such route', mayRetry: false },
  'method-not-allowed': { status: 405, title: 'Method not allowed', mayRetry: false },
  'admin-unauthorized': { status: 401, title: 'Admin token required', mayRetry: false },
  'webhook-unsigned': { status: 401, title: 'Webhook signature missing or wrong', mayRetry: false },
  'too-many-attempts': { status: 429, title: 'Too many attempts', mayRetry: true },
  'entry-not-found': { status: 404, title: 'No such entry', mayRetry: false },
  'payload-too-large': { status: 413, title: 'Request too large', mayRetry: false },
  'header-too-large': { status: 431, title: 'Header fields too large', mayRetry: false },
  'request-timeout': { status: 408, title: 'Request too slow', mayRetry: true },
  'transfer-coding-unknown': { status: 501, title: 'Transfer coding not known', mayRetry: false },
  'upstream-timeout': { status: 504, title: 'Upstream too slow', mayRetry: true },
  'upstream-unreachable': { status: 502, title: 'Upstream unreachable', mayRetry: true },
  'upstream-invalid': { status: 502, title: 'Upstream answered nonsense', mayRetry: true },
  'upstream-unauthorized': { status: 502, title: 'Upstream refused the credentials', mayRetry: false },
  'upstream-rate-limited': { status: 429, title: 'Upstream rate limit spent', mayRetry: true },
  'upstream-too-large': { status: 502, title: 'Upstream answer too large', mayRetry: false },
  'upstream-error': { status: 502, title: 'Upstream failed', mayRetry: true },
  'upstream-paused': { status: 502, title: 'Upstream paused after failures', mayRetry: true },
  'deadline-exceeded': { status: 504, title: 'No answer in time', mayRetry: true },
  'not-cached': { status: 504, title: 'Nothing stored to serve', mayRetry: false },
  'cache-unavailable': { status: 503, title: 'Cache store unavailable', mayRetry: true },
  overloaded: { status: 503, title: 'Too much under way', mayRetry: true },
  'shutting-down': { status: 503, title: 'Shutting down', mayRetry: true },
  internal: { status: 500, title: 'Internal error', mayRetry: true },
} satisfies Readonly<Record<string, ProblemKind>>;

/** The stable codes of the service's own errors. */
export type ServiceErrorCode = keyof typeof OWN_PROBLEMS;

const problems = new Map<string, ProblemKind>(Object.entries(OWN_PROBLEMS));

/**
 * Adds the error codes of a feature.
 *
 * @throws Error for a code of the service's own
 */
export function registerProblems(added: Readonly<Record<string, ProblemKind>>): void {
  for (const [code, kind] of Object.entries(added)) {
    if (Object.hasOwn(OWN_PROBLEMS, code))
      throw new Error(`The error code "${code}" is the service's own: take another.`);
    problems.set(code, kind);
  }
}

/** All error codes, those of the features too. */
export function allProblems(): ReadonlyMap<string, ProblemKind> {
  return problems;
}

/** The meaning of a code; an unknown one is an internal error. */
export function kindOfProblem(code: string | undefined): ProblemKind {
  return problems.get(code ?? '') ?? OWN_PROBLEMS.internal;
}

/** The members of a problem except `instance`, which depends on the request. */
export interface ProblemBody {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly code: ErrorCode;
  readonly detail: string;
}

/** What clients of an API expect in a problem beside its own members. */
export interface ClientProblem {
  /** By default that of the code. */
  readonly status?: number;
  /** By default `application/problem+json`. */
  readonly contentType?: string;
  /** Members beside those of RFC 9457. */
  readonly members?: Readonly<Record<string, unknown>>;
}

export const PROBLEM_TYPE = 'application/problem+json; charset=utf-8';

export function problemOf(code: ErrorCode, detail: string): ProblemBody {
  const { status, title } = kindOfProblem(code);
  return { type: `urn:larder:problem:${code}`, title, status, code, detail };
}

/** An error of the service. */
interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

/** `Retry-After` of an error, in seconds (RFC 9110 §10.2.3); undefined for one that another try does not mend. */
export function retryAfterOf({ code, retryAfterMs = 1_000 }: Failure): string | undefined {
  const { status, mayRetry } = kindOfProblem(code);
  return mayRetry && status !== 500 ? String(Math.max(1, Math.ceil(retryAfterMs / 1_000))) : undefined;
}
