import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import Fastify from 'fastify';
import { drainOnClose } from './drain';

it('closes the port at once, while a connection that is open gets its next response, as the last one', async () => {
  const fastify = Fastify({ return503OnClosing: false, forceCloseConnections: 'idle' });
  drainOnClose(fastify, [fastify.server], 10_000);
  fastify.get('/', () => 'a response');
  await fastify.listen({ port: 0, host: '127.0.0.1' });
  const { port } = fastify.server.address() as AddressInfo;
  const client = connect(port, '127.0.0.1');
  const request = 'GET / HTTP/1.1\r\nHost: x\r\n\r\n';
  client.write(request);
  await once(client, 'readable');
  expect(String(client.read())).toMatch(/^HTTP\/1.1 200 .*connection: keep-alive/is);

  const closed = fastify.close();
  while (fastify.server.listening) await turn();
  client.write(request);
  const [refused] = (await once(
    connect(port, '127.0.0.1').on('error', () => undefined),
    'error',
  )) as [Error];
  expect(refused.message).toMatch('ECONNREFUSED');
  expect(await text(client)).toMatch(/^HTTP\/1.1 200 .*connection: close.*a response$/is);
  await closed;
});
