import { getHeapStatistics } from 'node:v8';

const MIB = 1_048_576;
/** Where nothing is given: V8's young generation is at most 3/64 of the old one (node 24; less in other releases). */
const OLD_SHARE = 64 / 67;

/**
 * V8's limit of the old generation, in bytes: what a process dies of when it is exceeded. `heap_size_limit` contains three times the
 * semi-space as well, and that is 16, 32 or 64 MiB, by the release of node.
 *
 * @param flags node's own, as it was started; the last one counts
 */
export function oldGenerationBytes(
  flags: readonly string[] = startFlags(),
  limit = getHeapStatistics().heap_size_limit,
): number {
  const old = mibOf(flags, 'max-old-space-size');
  if (old > 0) return old * MIB;
  const semi = mibOf(flags, 'max-semi-space-size');
  return Math.floor(semi > 0 ? Math.max(limit - 3 * semi * MIB, limit / 2) : limit * OLD_SHARE);
}

/** V8 takes hyphens and underscores in the names of flags. */
function mibOf(flags: readonly string[], name: string): number {
  const given = flags.findLast((flag) => flag.replaceAll('_', '-').startsWith(`--${name}=`));
  return Number(given?.split('=')[1]) || 0;
}

function startFlags(): readonly string[] {
  // eslint-disable-next-line no-restricted-properties -- no setting of the service: node's, as `execArgv` is
  return [...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/), ...process.execArgv];
}
