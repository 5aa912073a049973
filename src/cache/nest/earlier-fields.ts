import type { FastifyReply } from 'fastify';
import type { Fields } from './client-reply';

/** Fields that hooks have set on a Fastify reply, without those of the raw response. */

type Holder = Record<symbol, Fields | undefined>;

let knownSymbol: symbol | undefined;

function symbolOf(reply: FastifyReply): symbol | undefined {
  return (knownSymbol ??= Object.getOwnPropertySymbols(reply).find(
    (one) => one.description === 'fastify.reply.headers',
  ));
}

/**
 * The object itself, not the copy of `getHeaders()`.
 *
 * @throws Error for a reply of another Fastify, which stores them differently
 */
export function ownFields(reply: FastifyReply): Fields {
  return (reply as unknown as Holder)[requireSymbol(reply)] ?? {};
}

export function useFields(reply: FastifyReply, fields: Fields): void {
  (reply as unknown as Holder)[requireSymbol(reply)] = fields;
}

/** Whether no hook has set a field yet; false for a reply of another framework. */
export function hasNoFields(reply: FastifyReply): boolean {
  const symbol = symbolOf(reply);
  const fields = symbol && (reply as unknown as Holder)[symbol];
  if (fields === undefined) return false;
  for (const _name in fields) return false;
  return reply.raw.getHeaderNames().length === 0;
}

function requireSymbol(reply: FastifyReply): symbol {
  const symbol = symbolOf(reply);
  if (symbol === undefined) throw new Error('Larder does not know the reply of this Fastify: use Fastify 5.');
  return symbol;
}
