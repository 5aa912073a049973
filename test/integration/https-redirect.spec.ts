import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { rawRequest } from '../support/raw-http';
import { httpsRedirect } from '../../src/server/https-redirect';

describe('the port of plain HTTP', () => {
  const servers: Server[] = [];
  afterAll(() => servers.forEach((server) => server.close()));

  const headTo = async (port: number, publicUrl: string | undefined, asked: string): Promise<string> => {
    const server = httpsRedirect({ port: () => port, publicUrl });
    servers.push(server);
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return (await rawRequest((server.address() as AddressInfo).port, asked)).toString();
  };

  it.each([
    ['the client named', 443, undefined, 'larder.example', 'https://larder.example/github/users?a=b'],
    [
      'the client named, with its port',
      8443,
      undefined,
      'larder.example:8080',
      'https://larder.example:8443/github/users?a=b',
    ],
    ['by an address', 8443, undefined, '[::1]:80', 'https://[::1]:8443/github/users?a=b'],
    ['is public', 8443, 'https://cache.example/', 'larder.example', 'https://cache.example/github/users?a=b'],
  ])('leads to https of the host that %s', async (_what, port, publicUrl, host, location) => {
    const asked = `POST /github/users?a=b HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 2\r\n\r\n{}`;
    const head = await headTo(port, publicUrl, asked);
    expect(head).toMatch(/^HTTP\/1.1 308 /);
    expect(head).toContain(`\r\nlocation: ${location}\r\n`);
  });

  it('leads to the host of a target in absolute form, whatever the Host field says', async () => {
    const head = await headTo(443, undefined, 'GET http://larder.example/a?b HTTP/1.1\r\nhost: other.example\r\n\r\n');
    expect(head).toContain('\r\nlocation: https://larder.example/a?b\r\n');
  });

  it('puts nothing but the path into Location: no other host, and no line of its own', async () => {
    for (const path of ['//evil.example/x', '/\\\\evil.example', '/%0d%0aset-cookie:x', `/${'a'.repeat(15_000)}`]) {
      const head = await headTo(443, undefined, `GET ${path} HTTP/1.1\r\nhost: larder.example\r\n\r\n`);
      expect(head).toContain(`\r\nlocation: https://larder.example${path}\r\n`);
    }
    for (const path of ['/a\rb', '/a\0b', '/a\nset-cookie: x', '/a b'])
      expect(await headTo(443, undefined, `GET ${path} HTTP/1.1\r\nhost: larder.example\r\n\r\n`)).toMatch(
        /^HTTP\/1.1 400 /,
      );
  });

  it.each([
    ['a host that is none', 'GET / HTTP/1.1\r\nhost: evil.example/x?\r\n\r\n'],
    ['a target of another scheme', 'GET ftp://larder.example/ HTTP/1.1\r\nhost: larder.example\r\n\r\n'],
    ['a target with a user', 'GET http://user@larder.example/ HTTP/1.1\r\nhost: larder.example\r\n\r\n'],
    ['two hosts', 'GET / HTTP/1.1\r\nhost: larder.example\r\nhost: evil.example\r\n\r\n'],
    ['every server', 'OPTIONS * HTTP/1.1\r\nhost: larder.example\r\n\r\n'],
    ['no host', 'GET / HTTP/1.0\r\n\r\n'],
  ])('refuses %s', async (_what, asked) => {
    expect(await headTo(443, undefined, asked)).toMatch(/^HTTP\/1.1 400 [^]*"code":"request-invalid"/);
  });
});
