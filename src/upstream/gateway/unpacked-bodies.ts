import { LRUCache } from 'lru-cache';
import { identityBody, type CacheEntry } from '../../cache';

/** So many bodies are looked for; each is kept alive only by who sends it. */
const MAX_KNOWN = 1_000;

/**
 * Bodies of stored answers without the coding they are stored in: as long as one is being sent, all who ask for it share it, however
 * often its entry has been read from the store meanwhile. The id tells: it is drawn anew whenever a body is stored.
 */
export class UnpackedBodies {
  private readonly underWay = new Map<string, Promise<Buffer>>();
  private readonly known = new LRUCache<string, WeakRef<Buffer>>({ max: MAX_KNOWN });

  /** @throws Error for a stored body that cannot be unpacked */
  of(entry: CacheEntry): Buffer | Promise<Buffer> {
    const { id } = entry;
    const known = this.known.get(id)?.deref() ?? this.underWay.get(id);
    if (known) return known;
    const body = identityBody(entry);
    if (Buffer.isBuffer(body)) return this.keep(entry, body);
    const unpacking = body
      .then((bytes) => this.keep(entry, bytes))
      .finally(() => {
        this.underWay.delete(id);
      });
    this.underWay.set(id, unpacking);
    return unpacking;
  }

  private keep({ id }: CacheEntry, body: Buffer): Buffer {
    this.known.set(id, new WeakRef(body));
    return body;
  }
}
