import { LRUCache } from 'lru-cache';
import type { LimitDialect } from './limit-dialect';

const MOST_SHAPES = 1_000;

/** Which resource a request counts against: by its path, until the answers to requests like it have said another. */
export class ToldResources {
  private readonly told = new LRUCache<string, string>({ max: MOST_SHAPES });

  constructor(private readonly dialect: Pick<LimitDialect, 'resourceOf' | 'shapeOf'>) {}

  /** Undefined for what is free. */
  of(method: string, path: string): string | undefined {
    const shown = this.dialect.resourceOf(path, method);
    return shown === undefined || this.told.size === 0 ? shown : (this.told.get(this.likeness(method, path)) ?? shown);
  }

  learn(method: string, path: string, resource: string): void {
    const shown = this.dialect.resourceOf(path, method);
    if (shown === undefined) return; // what is free may tell of another's limit
    if (shown !== resource) this.told.set(this.likeness(method, path), resource);
    else if (this.told.size > 0) this.told.delete(this.likeness(method, path));
  }

  private likeness(method: string, path: string): string {
    return `${method === 'HEAD' ? 'GET' : method} ${this.dialect.shapeOf(path)}`;
  }
}
