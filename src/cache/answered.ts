import type { HttpServer } from '@nestjs/common';

/** What the interceptor hands to Nest when it has sent the response itself. */
export const ANSWERED = Symbol('larder.answered');

const patched = new WeakSet<object>();

/** Teaches an HTTP adapter, once, that there is nothing left to send for `ANSWERED`: Nest has no such word of its own. */
export function acceptAnswered(adapter: HttpServer): void {
  if (patched.has(adapter)) return;
  patched.add(adapter);
  const reply = adapter.reply.bind(adapter) as (response: unknown, body: unknown, status?: number) => unknown;
  adapter.reply = (response: unknown, body: unknown, status?: number): unknown =>
    body === ANSWERED ? response : reply(response, body, status);
}
