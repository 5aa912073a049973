import { setFlagsFromString } from 'node:v8';

/*
 * How large V8's young generation is after the start. V8 enlarges it whenever objects that outlive a collection add up to its size. Nearly all
 * that a start allocates does: it would leave 32 MB to a process that serves nothing yet (`benchmarks/start`). Once there are requests it is
 * better large: hits leave almost nothing alive, so that by doubling it would stay small for minutes, and collections would take a tenth of
 * each hit (`benchmarks/hit`). So it then grows in one step, up to `--max-semi-space-size`. V8 reads this flag there and nowhere else (`Grow`
 * in its new-spaces.cc).
 */

/** Until it is released, the young generation keeps its size. */
export function holdYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=1');
}

/** From now on it grows in one step. */
export function releaseYoungGeneration(): void {
  setFlagsFromString('--semi-space-growth-factor=16');
}
