import type { FastifyReply } from 'fastify';
import { areSound, linesOf } from './head-text';
import type { HeadText } from './prepared-answer';

/*
 * Fields that hooks have set on a reply before the cache answers.
 */

/** Fields that node, the edge or the cache would not just leave beside their own. */
const CHANGING: ReadonlySet<string> = new Set(['connection', 'vary', 'date', 'x-response-time', 'transfer-encoding']);

/** What hooks before this one have set, or undefined where that changes more than the head's first lines. */
export function earlierLines(reply: FastifyReply): string | undefined {
  if (hasNoFields(reply)) return '';
  const earlier = reply.getHeaders();
  let fields: string[] | undefined;
  for (const name in earlier) {
    if (CHANGING.has(name)) return undefined;
    fields ??= [];
    for (const value of [earlier[name]].flat()) fields.push(name, String(value));
  }
  if (fields === undefined) return '';
  return areSound(fields) ? linesOf(fields) : undefined;
}

/** Whether a field is in both: the interceptor would have it once. */
export function meet(earlier: string, { front, back }: HeadText): boolean {
  const head = `\r\n${front}${back}`;
  return earlier
    .split('\r\n')
    .some((line) => line !== '' && head.includes(`\r\n${line.slice(0, line.indexOf(':') + 1)}`));
}

let fieldsOfReply: symbol | undefined;

/** Whether no hook has set a field yet; told without the copy that `getHeaders()` makes. */
export function hasNoFields(reply: FastifyReply): boolean {
  fieldsOfReply ??= Object.getOwnPropertySymbols(reply).find(
    ({ description }) => description === 'fastify.reply.headers',
  );
  const fields = fieldsOfReply && (reply as unknown as Record<symbol, object | undefined>)[fieldsOfReply];
  if (fields === undefined) return false; // another Fastify: ask it
  for (const _name in fields) return false;
  return reply.raw.getHeaderNames().length === 0;
}
