import { Injectable, type Provider } from '@nestjs/common';
import { Cacheable, CacheEvict, CacheInvalidator, CachePut } from '../../src/cache';
import { openRoutes, type RouteAppOptions } from './route-app';

/** What the methods below read and write, and how often they were called. */
export class Shelf {
  version = 1;
  calls = 0;
  failure: Error | undefined;
  private gate: Promise<void> = Promise.resolve();

  hold(): () => void {
    let open = (): void => undefined;
    this.gate = new Promise((resolve) => (open = resolve));
    return () => {
      this.gate = Promise.resolve();
      open();
    };
  }

  async read(): Promise<number> {
    this.calls += 1;
    const { version, gate } = this;
    await gate;
    if (this.failure) throw this.failure;
    return version;
  }
}

@Injectable()
export class ProductsService {
  private readonly prefix = 'product';

  constructor(readonly shelf: Shelf) {}

  @Cacheable({ key: (id: string) => `product:${id}`, tags: (id: string) => ['products', `product:${id}`] })
  async find(id: string) {
    return { name: `${this.prefix} ${id}`, version: await this.shelf.read() };
  }

  @Cacheable({ ttlMs: 60_000 })
  async search(words: unknown, _page?: unknown) {
    return { words: typeof words, version: await this.shelf.read() };
  }

  @Cacheable({ key: 'stale-while-revalidate', ttlMs: 20, staleWhileRevalidateMs: 60_000 })
  async revalidated() {
    return { version: await this.shelf.read() };
  }

  @Cacheable({ key: 'stale-if-error', ttlMs: 20, staleIfErrorMs: 60_000 })
  async withFallback() {
    return { version: await this.shelf.read() };
  }

  @Cacheable({ key: 'nothing', negativeTtlMs: 60_000 })
  async nothing(): Promise<unknown> {
    await this.shelf.read();
    return undefined;
  }

  @Cacheable({ key: 'since' })
  async since() {
    await this.shelf.read();
    return { since: new Date(0) };
  }

  @Cacheable({ key: 'bytes' })
  async bytes() {
    await this.shelf.read();
    return Buffer.from([0, 255]);
  }

  @CachePut({ key: (id: string) => `product:${id}`, tags: ['products'] })
  async change(id: string, version: number) {
    const gate = this.shelf.read();
    this.shelf.version = version;
    await gate;
    return { name: `${this.prefix} ${id}`, version };
  }

  @CacheEvict({ key: (id: string) => `product:${id}` })
  async remove(_id: string) {
    this.shelf.version += 1;
    if (this.shelf.failure) throw this.shelf.failure;
    await Promise.resolve();
  }

  @CacheEvict({ tags: ['products'], mode: 'stale' })
  async reprice() {
    this.shelf.version += 1;
    await Promise.resolve();
  }
}

@Injectable()
export class SaleProductsService extends ProductsService {
  override async search(words: unknown) {
    return { ...(await super.search(words)), sale: true };
  }

  @Cacheable({ key: (id: string) => `product:${id}` })
  override async find(id: string) {
    const { name, version } = await super.find(id);
    return { name: `${name} on sale`, version };
  }

  @CachePut({ key: (id: string) => `product:${id}` })
  async raise(id: string) {
    this.shelf.version += 1;
    return this.find(id);
  }
}

/** An application with a service whose methods are cached. */
export async function openShop(providers: Provider[] = [], options: RouteAppOptions = {}) {
  const shelf = new Shelf();
  const log: string[] = [];
  const all = [{ provide: Shelf, useValue: shelf }, ProductsService, ...providers];
  const opened = await openRoutes([], { ...options, providers: all, log });
  const get = <T>(type: abstract new (...args: never[]) => T): T => opened.app.get(type, { strict: false });
  return { ...opened, shelf, log, get, products: get(ProductsService), invalidator: get(CacheInvalidator) };
}
