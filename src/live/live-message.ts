import { z } from 'zod';
import { processSample } from './process-sample';

/** Outcomes and invalidations, as admins see them. */
export const LIVE_EVENTS = ['outcome', 'invalidation'] as const;

/**
 * The messages between processes while a client watches: that it watches, the counts of each process, and events. `from` names the
 * process, `number` counts its messages: some arrive on two ways.
 */
const envelope = { from: z.string().max(300), number: z.number() };
export const liveMessage = z.discriminatedUnion('kind', [
  /** A client watches, for `forMs` from now on; `wantsEvents`: an admin does. */
  z.object({ ...envelope, kind: z.literal('watch'), forMs: z.number().min(0).max(60_000), wantsEvents: z.boolean() }),
  z.object({ ...envelope, kind: z.literal('sample'), sample: processSample }),
  z.object({ ...envelope, kind: z.literal('event'), event: z.enum(LIVE_EVENTS), data: z.looseObject({}) }),
]);

export type LiveMessage = z.infer<typeof liveMessage>;
export type LiveEventName = (typeof LIVE_EVENTS)[number];
type WithoutEnvelope<T> = T extends unknown ? Omit<T, 'from' | 'number'> : never;
export type LiveContent = WithoutEnvelope<LiveMessage>;
