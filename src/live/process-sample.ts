import { z } from 'zod';

const number = z.number();
const count = z.number().nonnegative();

/** The counts of one process in one second, and its state: processes exchange them while a client watches. */
export const processSample = z.object({
  replica: z.string().max(300),
  pid: count,
  startedAt: count,
  version: z.string().max(100),
  /** The second, in ms since the epoch by the clock of the process. */
  at: count,
  /** By outcome. */
  requests: z.record(z.string(), count),
  /** By outcome: bucket and count in turn. */
  latency: z.record(z.string(), z.array(count).max(200)),
  upstream: z.object({ calls: count, notModified: count, saved: count }),
  l1: z.object({ entries: count, bytes: count, maxBytes: count }),
  store: z.object({
    kind: z.enum(['memory', 'redis']),
    isUp: z.boolean(),
    problem: z.string().nullable(),
    usedBytes: count.nullable(),
    entries: count.nullable(),
  }),
  budgets: z
    .array(
      z.object({
        ...{ upstream: z.string(), credential: z.string(), resource: z.string() },
        ...{ limit: number, remaining: number, resetAt: number },
      }),
    )
    .max(100),
  breakers: z.array(z.object({ upstream: z.string(), state: z.enum(['closed', 'half-open', 'open']) })).max(100),
  runwayMs: z.object({ p50: count, least: count }).nullable(),
});

export type ProcessSample = z.infer<typeof processSample>;
export type BudgetFigure = ProcessSample['budgets'][number];
export type BreakerFigure = ProcessSample['breakers'][number];
