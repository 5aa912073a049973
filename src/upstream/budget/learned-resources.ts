import { LRUCache } from 'lru-cache';
import { atMost } from '../../kernel/at-most';
import type { RateLimitAdapter } from './rate-limit-adapter';

const MAX_SHAPES = 1_000;

/** Which limits a request counts against: by its path, until the answers to similar requests have named others. */
export class LearnedResources {
  private readonly learned = new LRUCache<string, readonly string[]>(atMost(MAX_SHAPES));

  constructor(private readonly adapter: Required<Pick<RateLimitAdapter, 'resourceOf' | 'shapeOf'>>) {}

  /** Undefined for a free request. */
  of(method: string, path: string): readonly string[] | undefined {
    const shown = this.shownBy(method, path);
    if (shown === undefined || this.learned.size === 0) return shown;
    return this.learned.get(this.shapeOf(method, path)) ?? shown;
  }

  record(method: string, path: string, resources: readonly string[]): void {
    const shown = this.shownBy(method, path);
    if (shown === undefined || resources.length === 0) return; // a free request may announce another's limit
    if (resources.length !== shown.length || resources.some((one, at) => one !== shown[at]))
      this.learned.set(this.shapeOf(method, path), resources);
    else if (this.learned.size > 0) this.learned.delete(this.shapeOf(method, path));
  }

  private shownBy(method: string, path: string): readonly string[] | undefined {
    const shown = this.adapter.resourceOf(path, method);
    return typeof shown === 'string' ? [shown] : shown;
  }

  private shapeOf(method: string, path: string): string {
    return `${method === 'HEAD' ? 'GET' : method} ${this.adapter.shapeOf(path)}`;
  }
}
