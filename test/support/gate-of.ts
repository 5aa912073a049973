import type { FastPathGate } from '../../src/server/fast-path-gate';
import { LarderAdapter } from '../../src/server/larder-adapter';

/** The gate of an application made with `createAdapter()`. */
export function gateOf(adapter: object): FastPathGate {
  if (adapter instanceof LarderAdapter) return adapter.gate;
  throw new Error('The application was not made with createAdapter().');
}
