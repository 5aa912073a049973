/** What a `FaultProxy` does to the bytes that pass through it. */
export type FaultMode =
  | { kind: 'pass' }
  /** Holds everything, and delivers it when the mode changes: a network that is gone for a while. */
  | { kind: 'stall' }
  /** Swallows everything, ends included: a peer that vanished without a FIN. */
  | { kind: 'halfOpen' }
  | { kind: 'delay'; ms: number }
  | { kind: 'dribble'; bytesPerTick: number; tickMs: number }
  /** Replaces what the server sends by other bytes: the given ones, or as many random ones. */
  | { kind: 'garbage'; bytes?: Buffer };
