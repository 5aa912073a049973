import type { LimitReading } from './credential-budget';

/** How an upstream speaks of its limits. */
export interface LimitDialect {
  /** The resource that a request counts against, as far as its path shows; undefined for one that is free. */
  readonly resourceOf: (path: string, method: string) => string | undefined;
  /** What a request costs of the points of a minute; 0 for nothing. */
  readonly pointsOf: (method: string, resource: string | undefined) => number;
  /** What paths have in common that count against the same, where the answers say another resource than the path shows. */
  readonly shapeOf: (path: string) => string;
  /** Whether the head leaves it open what an answer is about, and its body tells. */
  readonly isToldByBody: (answer: LimitedAnswer) => boolean;
  /** What an answer says; `assumed` is the resource where it names none. */
  readonly read: (assumed: string, answer: LimitedAnswer, now: number) => LimitReading;
  /** Header fields of an answer in the upstream's place, so that clients that know them act by them. */
  readonly fieldsOf: (resource: string, limit: number | undefined, resetAt: number) => Readonly<Record<string, string>>;
}

/** An answer, as far as it may speak of limits. */
export interface LimitedAnswer {
  readonly status: number;
  /** A header field by its name in lower case. */
  readonly field: (name: string) => string | undefined;
  /** The body, where it was looked at. */
  readonly text?: string | undefined;
}
