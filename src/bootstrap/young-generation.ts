import { setFlagsFromString } from 'node:v8';

/*
 * How large V8's young generation is after the start. V8 doubles it whenever objects that outlive a collection add up to its size. Nearly all
 * that a start allocates does: it would leave 32 MB that an idle process never gives back. Under load it grows as always, up to
 * `--max-semi-space-size`. V8 reads this flag when it grows the young generation, and for no other purpose (`Grow` in its new-spaces.cc).
 */

/** Until it is released, the young generation keeps its size. */
export function holdYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** V8's default: it doubles. */
export function releaseYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=2');
}
