import { readFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { payloadOf } from './payload';

/**
 * The least that Node can do: bytes at hand, one `writeHead`. The yardstick, and the origin behind nginx and Varnish.
 */
const bodies = new Map<string, Buffer>();

function bodyOf(url: string): Buffer {
  const known = bodies.get(url);
  if (known) return known;
  const body = Buffer.from(JSON.stringify(payloadOf(Number(url.split('/').at(-1)))));
  bodies.set(url, body);
  return body;
}

const answer: RequestListener = (request, response) => {
  const body = bodyOf(request.url ?? '/payload/0');
  response
    .writeHead(200, { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length })
    .end(body);
};

const { TLS_CERT_FILE: cert, TLS_KEY_FILE: key } = process.env;
const server =
  cert === undefined || key === undefined
    ? createServer(answer)
    : createTlsServer({ cert: readFileSync(cert), key: readFileSync(key) }, answer);
server.listen(Number(process.env['PORT']), '127.0.0.1');
