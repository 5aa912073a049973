import type { FastifyReply } from 'fastify';
import type { Fields } from './load-reply';

/*
 * Fields that hooks have set on a reply before the cache answers.
 */

let symbolOfFields: symbol | undefined;

/**
 * The reply's own fields, without those of the raw response: the object itself, not the copy of `getHeaders()`.
 *
 * @throws Error for a reply of another Fastify, which stores them differently
 */
export function ownFields(reply: FastifyReply): Fields {
  return holderOf(reply)[knownSymbol(reply)] ?? {};
}

export function useFields(reply: FastifyReply, fields: Fields): void {
  holderOf(reply)[knownSymbol(reply)] = fields;
}

function holderOf(reply: FastifyReply): Record<symbol, Fields | undefined> {
  return reply as unknown as Record<symbol, Fields | undefined>;
}

function knownSymbol(reply: FastifyReply): symbol {
  const symbol = fieldsSymbol(reply);
  if (symbol === undefined) throw new Error('Larder does not know the reply of this Fastify: use Fastify 5.');
  return symbol;
}

/** Whether no hook has set a field yet, without the copy that `getHeaders()` makes. */
export function hasNoFields(reply: FastifyReply): boolean {
  const symbol = fieldsSymbol(reply);
  const fields = symbol && (reply as unknown as Record<symbol, object | undefined>)[symbol];
  if (fields === undefined) return false; // another Fastify: ask it
  for (const _name in fields) return false;
  return reply.raw.getHeaderNames().length === 0;
}

function fieldsSymbol(reply: FastifyReply): symbol | undefined {
  symbolOfFields ??= Object.getOwnPropertySymbols(reply).find(
    ({ description }) => description === 'fastify.reply.headers',
  );
  return symbolOfFields;
}
