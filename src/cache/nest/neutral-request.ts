import { rawRequestOf } from './client-reply';

/** Fields by which a client asks for its own form of the answer: conditions (RFC 9110 §13.1), ranges, codings, cache directives. */
const OF_THE_CLIENT = [
  ...['if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since', 'if-range', 'range'],
  ...['accept-encoding', 'cache-control', 'pragma'],
];

/**
 * Removes the fields from a request that must not influence its handler: the response is for every client (RFC 9111 §4.3.1 has a cache
 * send conditions of its own).
 *
 * @param method the method whose responses are stored, if it is not the request's own: a HEAD gets the stored response of a GET, without
 * its body (RFC 9110 §9.3.2). It is restored before the response is sent.
 * @returns restores them
 */
export function neutralise(request: { readonly method?: string }, method?: 'GET'): () => void {
  const { headers } = rawRequestOf(request);
  const isOther = method !== undefined && request.method !== method;
  const own = Object.getOwnPropertyDescriptor(request, 'method');
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
    if (isOther && own) Object.defineProperty(request, 'method', own); // Express's request has it itself
    for (const [name, value] of taken) headers[name] = value;
  };
}
