import { LRUCache } from 'lru-cache';
import { atMost } from '../../kernel/at-most';
import type { CacheEntry } from '../../cache';
import { identityBody } from '../../cache/law';

/** The number of bodies to look for; each is kept alive only by the responses under way. */
const MAX_KNOWN = 1_000;

/**
 * Bodies of stored responses without their stored coding: while one is being sent, all requests for it share it, however often its entry
 * is read from the store. They are found by the id, which changes with every stored body.
 */
export class UnpackedBodies {
  private readonly underWay = new Map<string, Promise<Buffer>>();
  private readonly known = new LRUCache<string, WeakRef<Buffer>>(atMost(MAX_KNOWN));

  /** @throws Error for a stored body that cannot be unpacked */
  of(entry: CacheEntry): Buffer | Promise<Buffer> {
    return this.made(entry.id, () => identityBody(entry));
  }

  /** A body made of an entry's, by a name that differs for each entry and each way to make it. */
  made(id: string, make: () => Buffer | Promise<Buffer>): Buffer | Promise<Buffer> {
    const known = this.known.get(id)?.deref() ?? this.underWay.get(id);
    if (known) return known;
    const body = make();
    if (Buffer.isBuffer(body)) return this.keep(id, body);
    const unpacking = body
      .then((bytes) => this.keep(id, bytes))
      .finally(() => {
        this.underWay.delete(id);
      });
    this.underWay.set(id, unpacking);
    return unpacking;
  }

  private keep(id: string, body: Buffer): Buffer {
    this.known.set(id, new WeakRef(body));
    return body;
  }
}
