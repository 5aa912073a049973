import type { FastifyRequest } from 'fastify';

/** Fields by which a client asks for its own form of the answer: conditions (RFC 9110 §13.1), ranges, codings, cache directives. */
const OF_THE_CLIENT = [
  ...['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range'],
  ...['accept-encoding', 'cache-control', 'pragma'],
];

/**
 * Takes the fields off a request that its handler must not answer by: what it returns is for every client (RFC 9111 §4.3.1
 * has a cache send conditions of its own).
 *
 * @param method the one whose answers are stored, if it is not the request's own: a HEAD gets what GET stored, without its body
 * (RFC 9110 §9.3.2). Only the handler sees it: the answer is sent by the method of the raw request.
 * @returns puts them back
 */
export function neutralise(request: FastifyRequest, method?: 'GET'): () => void {
  const { headers } = request.raw;
  const isOther = method !== undefined && request.method !== method;
  if (isOther) Object.defineProperty(request, 'method', { value: method, configurable: true });
  const taken: [string, string | string[]][] = [];
  for (const name of OF_THE_CLIENT) {
    const value = headers[name];
    if (value === undefined) continue;
    taken.push([name, value]);
    Reflect.deleteProperty(headers, name);
  }
  return () => {
    if (isOther) Reflect.deleteProperty(request, 'method');
    for (const [name, value] of taken) headers[name] = value;
  };
}
