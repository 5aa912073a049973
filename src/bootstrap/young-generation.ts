import { setFlagsFromString } from 'node:v8';

/*
 * How large V8's young generation is after the start. V8 enlarges it whenever objects that outlive a collection add up to its size. Nearly all
 * that a start allocates does: it would leave 32 MB that an idle process never gives back. Hits leave almost nothing alive: by doubling, a
 * process under load would collect a small young generation hundreds of times a second for minutes (a tenth of a hit's cost), so that the
 * steps after the start are larger, up to `--max-semi-space-size`. V8 reads this flag there and nowhere else (`Grow` in its new-spaces.cc).
 */

/** Until it is released, the young generation keeps its size. */
export function holdYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** From now on it grows in large steps. */
export function releaseYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=4');
}
