import type { HttpServer } from '@nestjs/common';

/** The interceptor's value for Nest when it has sent the response itself. */
export const RESPONSE_ALREADY_SENT = Symbol('larder.answered');

const patched = new WeakSet<object>();

/** Teaches an HTTP adapter, once, that there is nothing left to send for `RESPONSE_ALREADY_SENT`: Nest has no such word of its own. */
export function ignoreSentResponses(adapter: HttpServer): void {
  if (patched.has(adapter)) return;
  patched.add(adapter);
  const reply = adapter.reply.bind(adapter) as (response: unknown, body: unknown, status?: number) => unknown;
  adapter.reply = (response: unknown, body: unknown, status?: number): unknown =>
    body === RESPONSE_ALREADY_SENT ? response : reply(response, body, status);
}
