import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../test/support/free-port';
import { makeTempFolder, removeTempFolder } from '../../test/support/temp-folder';
import { startServer } from '../harness/server-process';
import { absence, findProgram } from './programs';
import type { Side, Surroundings } from './side';

/** nginx, `proxy_cache` as its documentation advises: lock, stale while updating, keep-alive to the origin. */
export function nginxWith(workers: number, cores?: string, { isTls = false } = {}): Side {
  return {
    name: `nginx proxy_cache, ${workers} ${workers === 1 ? 'worker' : 'workers'}${isTls ? ', TLS' : ''}`,
    missing: absence('nginx'),
    accountPath: '/users/',
    async start(around) {
      const port = await freePort();
      const folder = makeTempFolder('nginx');
      const file = join(folder, 'nginx.conf');
      writeFileSync(file, configuration({ folder, port, workers, isTls }, around));
      const server = await startServer({
        command: findProgram('nginx') ?? 'nginx',
        args: ['-c', file, '-p', folder, '-e', join(folder, 'error.log')],
        port,
        readyPath: '/payload/16',
        cores,
        isTls,
      });
      return { ...server, stop: () => server.stop().finally(() => removeTempFolder(folder)) };
    },
  };
}

/** With one worker, as the others have. */
export const nginx = nginxWith(1);
export const nginxTls = nginxWith(1, undefined, { isTls: true });

interface Place {
  readonly folder: string;
  readonly port: number;
  readonly workers: number;
  readonly isTls: boolean;
}

function configuration(
  { folder, port, workers, isTls }: Place,
  { originUrl, upstreamUrl, ttlSeconds, tls }: Surroundings,
): string {
  const certificate = `
    ssl_certificate ${tls.certFile};
    ssl_certificate_key ${tls.keyFile};`;
  const user = process.getuid?.() === 0 ? 'user root;' : '';
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `  ${name}_temp_path ${folder}/${name};`)
    .join('\n');
  return `${user}
daemon off;
worker_processes ${workers};
pid ${folder}/nginx.pid;
error_log ${folder}/error.log error;
events { worker_connections 4096; }
http {
${temporary}
  access_log off;
  keepalive_requests 100000000;
  sendfile off; # with sendfile and tcp_nopush, bodies of 100 kB stall for tens of milliseconds on the loopback
  output_buffers 2 128k;
  proxy_cache_path ${folder}/cache levels=1:2 keys_zone=bench:10m max_size=256m inactive=1h use_temp_path=off;
  proxy_cache bench;
  proxy_cache_lock on;
  proxy_cache_use_stale updating error timeout http_500;
  proxy_cache_valid 200 ${ttlSeconds}s;
  proxy_ignore_headers Cache-Control Vary Expires;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  upstream origin { server ${hostOf(originUrl)}; keepalive 64; }
  upstream github { server ${hostOf(upstreamUrl)}; keepalive 64; }
  server {
    listen 127.0.0.1:${port}${isTls ? ' ssl' : ''} backlog=4096;${isTls ? certificate : ''}
    location /payload/ { proxy_pass http://origin; }
    location /users/ { proxy_pass http://github; }
    location /repos/ { proxy_cache off; proxy_pass http://github; } # what is too large for a cache
  }
}
`;
}

function hostOf(url: string): string {
  return new URL(url).host;
}
