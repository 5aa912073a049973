import type { HeaderList, Validators } from './core/cache-entry';
import type { Found } from './core/cache-store';

/** What a handler may return instead of a plain value: the value, and what the upstream said of it. */
export class Sourced<T> {
  constructor(
    readonly value: T,
    readonly origin: {
      readonly validators?: Validators;
      readonly tags?: readonly string[];
      /** What it was made of, where that was in the store: the upstream was not asked. */
      readonly madeOf?: Found;
    } = {},
  ) {}
}

/** What a handler returns when the upstream says that the stored answer still holds (304). */
export class NotModified {
  constructor(readonly headers: HeaderList = []) {}
}

/** The plain value that a handler returned. */
export function valueIn(value: unknown): unknown {
  return value instanceof Sourced ? value.value : value;
}
