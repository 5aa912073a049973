import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { limitConnections } from './connection-limit';

it('closes connections over the limit of one address, and accepts its next when one has left; a proxy has no limit', async () => {
  const server = createServer((_request, response) => void response.end());
  limitConnections(server, { total: undefined, perAddress: 2, isProxy: (address) => address === '127.0.0.3' });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const open = async (localAddress?: string): Promise<Socket | 'closed'> => {
    const socket = connect({ port, host: '127.0.0.1', ...(localAddress !== undefined && { localAddress }) });
    socket.on('error', () => undefined);
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    return Promise.race([once(socket, 'data').then(() => socket), once(socket, 'close').then(() => 'closed' as const)]);
  };
  const [first, second] = [await open(), await open()];
  expect([first, second]).not.toContain('closed');
  expect(await open()).toBe('closed');
  expect(await open('127.0.0.2')).not.toBe('closed');
  for (let times = 0; times < 4; times++) expect(await open('127.0.0.3')).not.toBe('closed');
  (first as Socket).destroy();
  let next = await open();
  while (next === 'closed') next = await open(); // until the server has seen the first one leave
  server.closeAllConnections();
  server.close();
});
