const SLOTS = 4096;

/**
 * A counter for each key, moved by every change of the key that this process receives: equal before and after means that nothing changed
 * between. Keys share 4096 counters, so that it never grows; two keys on one counter cost a needless "changed", never a missed one.
 */
export class Epochs {
  private readonly counters = new Float64Array(SLOTS);
  private all = 0;

  of(key: string): number {
    return this.all + (this.counters[slotOf(key)] ?? 0);
  }

  bump(key: string): void {
    const slot = slotOf(key);
    this.counters[slot] = (this.counters[slot] ?? 0) + 1;
  }

  bumpAll(): void {
    this.all += 1;
  }
}

// FNV-1a, 32 bits
function slotOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193);
  return (hash >>> 0) % SLOTS;
}
