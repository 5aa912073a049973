import { callerOfKey } from '../../model/cache-key';

interface Usage {
  bytes: number;
  /** The keys with the bytes of their entries, the oldest first. */
  readonly entries: Map<string, number>;
}

/** The bytes of a row in the table of a caller's entries. */
export const OWNED_BYTES = 56;

/**
 * The memory that each caller's own partition occupies.
 *
 * The invariant: in a full memory, a caller over its share makes room with entries of its own, never with those of others. While there is
 * room it may take all of it. Partitions of callers without a credential have no limit.
 */
export class CallerShares {
  private readonly usages = new Map<string, Usage>();

  constructor(private readonly limits: { readonly bytes: number; readonly entries: number }) {}

  add(key: string, upstream: string, bytes: number): void {
    const caller = callerOfKey(key, upstream);
    if (caller === undefined) return;
    let usage = this.usages.get(caller);
    if (!usage) this.usages.set(caller, (usage = { bytes: 0, entries: new Map() }));
    usage.bytes += bytes;
    usage.entries.set(key, bytes);
  }

  remove(key: string, upstream: string): void {
    const caller = callerOfKey(key, upstream);
    const usage = caller === undefined ? undefined : this.usages.get(caller);
    const bytes = usage?.entries.get(key);
    if (caller === undefined || !usage || bytes === undefined) return;
    usage.bytes -= bytes;
    usage.entries.delete(key);
    if (usage.entries.size === 0) this.usages.delete(caller);
  }

  /** The oldest entry of the key's caller, if one more of so many bytes exceeds the caller's share. */
  oldestBeyond(key: string, upstream: string, bytes: number): string | undefined {
    const caller = callerOfKey(key, upstream);
    const usage = caller === undefined ? undefined : this.usages.get(caller);
    if (!usage) return undefined;
    const { limits } = this;
    const isWithin = usage.bytes + bytes <= limits.bytes && usage.entries.size < limits.entries;
    return isWithin ? undefined : usage.entries.keys().next().value;
  }
}
