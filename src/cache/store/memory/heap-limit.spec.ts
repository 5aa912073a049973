import { oldGenerationBytes } from './heap-limit';

const MIB = 1_048_576;

it.each<[flags: string[], limitMib: number, oldMib: number]>([
  [['--max-old-space-size=96'], 288, 96], // node 24
  [['--max-old-space-size=96'], 144, 96], // node 20
  [['--max_old_space_size=96', '--max-semi-space-size=32'], 192, 96],
  [['--max-old-space-size=96', '--max-old-space-size=128'], 176, 128],
  [['--max-semi-space-size=32'], 4_192, 4_096],
  [['--max-semi-space-size=128'], 400, 200],
  [['--max-old-space-size=many'], 4_288, 4_096],
  [[], 4_288, 4_096],
])('with %j, of a heap of %i MiB the old generation has %i MiB', (flags, limit, old) => {
  expect(oldGenerationBytes(flags, limit * MIB)).toBe(old * MIB);
});
