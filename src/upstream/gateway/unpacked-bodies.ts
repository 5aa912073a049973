import { identityBody, type CacheEntry } from '../../cache';

/**
 * Bodies of stored answers without the coding they are stored in: as long as one is being sent, all who ask for it share it.
 */
export class UnpackedBodies {
  private readonly underWay = new WeakMap<CacheEntry, Promise<Buffer>>();
  private readonly known = new WeakMap<CacheEntry, WeakRef<Buffer>>();

  /** @throws Error for a stored body that cannot be unpacked */
  of(entry: CacheEntry): Buffer | Promise<Buffer> {
    const known = this.known.get(entry)?.deref() ?? this.underWay.get(entry);
    if (known) return known;
    const body = identityBody(entry);
    if (Buffer.isBuffer(body)) return this.keep(entry, body);
    const unpacking = body
      .then((bytes) => this.keep(entry, bytes))
      .finally(() => {
        this.underWay.delete(entry);
      });
    this.underWay.set(entry, unpacking);
    return unpacking;
  }

  private keep(entry: CacheEntry, body: Buffer): Buffer {
    if (entry.coding !== 'identity') this.known.set(entry, new WeakRef(body));
    return body;
  }
}
