import { StreamableFile } from '@nestjs/common';

/** Results of handlers that the cache cannot store. */

/** Why a value cannot be stored; undefined if it can. */
export function whyPassed(value: unknown): string | undefined {
  if (value instanceof StreamableFile) return 'it returns a StreamableFile';
  if (typeof value !== 'object' || value === null) return undefined;
  if (Object.prototype.toString.call(value) === '[object Response]') return 'it returns a web Response';
  if (isFunction(value, 'pipe')) return 'it returns a stream';
  if (isFunction(value, 'getReader')) return 'it returns a web stream';
  // As in Nest: an async iterable with a `then` is treated as the promise.
  if (isFunction(value, Symbol.asyncIterator) && !isFunction(value, 'then')) return 'it returns an async iterable';
  return undefined;
}

/** Destroys the source of a body that no client will read. */
export function releaseUnsent(value: unknown): void {
  const body = value instanceof StreamableFile ? value.getStream() : value;
  if (typeof body !== 'object' || body === null) return;
  const source = Object.prototype.toString.call(body) === '[object Response]' ? (body as Response).body : body;
  const { destroy, cancel, return: stop } = (source ?? {}) as Record<string, unknown>;
  const end = [destroy, cancel, stop].find((one) => typeof one === 'function') as (() => unknown) | undefined;
  if (!end) return;
  const { on } = source as { on?: (name: string, listener: () => void) => void };
  if (typeof on === 'function') on.call(source, 'error', () => undefined); // a source that cannot be opened fails now
  void Promise.resolve(end.call(source)).catch(() => undefined);
}

function isFunction(value: object, name: string | symbol): boolean {
  return typeof (value as Record<string | symbol, unknown>)[name] === 'function';
}
