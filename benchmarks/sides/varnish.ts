import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port';
import { makeTempFolder, removeTempFolder } from '../../test/support/temp-folder';
import { startServer } from '../harness/server-process';
import { absence, findProgram } from './programs';
import type { Side, Surroundings } from './side';

/** Varnish with its built-in rules, in memory, on one core. */
export const varnish: Side = {
  name: 'Varnish',
  missing: absence('varnishd'),
  accountPath: '/users/',
  async start(around) {
    const port = await freePort();
    const folder = makeTempFolder('varnish');
    const file = join(folder, 'bench.vcl');
    writeFileSync(file, vcl(around));
    const server = await startServer({
      command: findProgram('varnishd') ?? 'varnishd',
      args: [
        '-F',
        '-j',
        'none',
        '-n',
        join(folder, 'work'),
        '-f',
        file,
        '-a',
        `127.0.0.1:${port}`,
        '-s',
        'malloc,256m',
      ],
      port,
      readyPath: '/payload/16',
    });
    return { ...server, stop: () => server.stop().finally(() => removeTempFolder(folder)) };
  },
};

function vcl({ originUrl, upstreamUrl, ttlSeconds }: Surroundings): string {
  const backend = (name: string, url: string): string => {
    const { hostname, port } = new URL(url);
    return `backend ${name} { .host = "${hostname}"; .port = "${port}"; }`;
  };
  return `vcl 4.1;
${backend('origin', originUrl)}
${backend('github', upstreamUrl)}
sub vcl_backend_fetch {
  if (bereq.url ~ "^/users/") { set bereq.backend = github; } else { set bereq.backend = origin; }
}
sub vcl_backend_response {
  if (beresp.status == 200) { unset beresp.http.Vary; set beresp.ttl = ${ttlSeconds}s; }
}
`;
}
