import { readFileSync, watchFile, unwatchFile } from 'node:fs';
import { createSecureContext, Server as TlsServer, type SecureContextOptions, type TlsOptions } from 'node:tls';
import type { LoggerService } from '@nestjs/common';
import { EnvironmentError } from '../config/env.schema';

/** The files of the service's own TLS, in PEM. */
export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** The CA of client certificates: only clients with one of its certificates are served. */
  readonly clientCaFile?: string | undefined;
  /** Whether HTTP/2 is offered beside HTTP/1.1. */
  readonly http2?: boolean;
}

/** As long as the head of a request may take. node's default is 120 s, in which silent connections would take up `MAX_CONNECTIONS`. */
const HANDSHAKE_TIMEOUT_MS = 30_000;
/** How often the files are looked at for a change, in milliseconds: by polling, because mounted secrets are replaced by links. */
const POLL_MS = 2_000;

/**
 * The options of an https server with these files.
 *
 * @throws EnvironmentError where a file cannot be used, or key and certificate do not belong together
 */
export function tlsOptions(files: TlsFiles): TlsOptions {
  const context = readContext(files);
  const requestsClientCertificates = files.clientCaFile !== undefined;
  return {
    ...context,
    ...(files.http2 && { ALPNProtocols: ['h2', 'http/1.1'] }),
    minVersion: 'TLSv1.2',
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    requestCert: requestsClientCertificates,
    rejectUnauthorized: requestsClientCertificates,
  };
}

/** A server and the files of its TLS. */
export interface TlsListener {
  readonly server: unknown;
  readonly files: TlsFiles;
}

/**
 * Reloads the files when one of them changes, and on SIGHUP, for all servers at once: a change of several files, which are looked at one by
 * one, is read once. Open connections keep their certificate. Unusable files are logged, and the servers continue with the current ones.
 */
export function reloadTls(listeners: readonly TlsListener[], logger: LoggerService): void {
  const servers = listeners.map(({ server, files }) => {
    if (!(server instanceof TlsServer)) throw new TypeError('The server does not speak TLS.');
    return { server, files };
  });
  const paths = [...new Set(servers.flatMap(({ files }) => pathsOf(files)))];
  let current = contentsOf(paths);
  const reload = (): void => {
    current = contentsOf(paths);
    try {
      for (const { server, files } of servers) server.setSecureContext(readContext(files));
      logger.log('The certificate was read again.', 'Tls');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      logger.error(`The new certificate is not used, the one before stays: ${reason}`, undefined, 'Tls');
    }
  };
  const reloadChanged = (): void => {
    if (contentsOf(paths) !== current) reload();
  };
  for (const path of paths) watchFile(path, { interval: POLL_MS, persistent: false }, reloadChanged);
  process.on('SIGHUP', reload);
  servers[0]?.server.once('close', () => {
    for (const path of paths) unwatchFile(path, reloadChanged);
    process.off('SIGHUP', reload);
  });
}

function pathsOf({ certFile, keyFile, clientCaFile }: TlsFiles): readonly string[] {
  return [certFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])];
}

/** To see whether they have changed; a file that cannot be read counts as empty. */
function contentsOf(paths: readonly string[]): string {
  const texts = paths.map((path) => {
    try {
      return readFileSync(path, 'utf8');
    } catch {
      return '';
    }
  });
  return texts.join('\n');
}

function readContext({ certFile, keyFile, clientCaFile }: TlsFiles): SecureContextOptions {
  try {
    const context: SecureContextOptions = {
      cert: readFileSync(certFile),
      key: readFileSync(keyFile),
      ...(clientCaFile === undefined ? {} : { ca: readFileSync(clientCaFile) }),
    };
    createSecureContext(context); // a key of another certificate is refused here
    return context;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EnvironmentError(
      `The configuration is wrong:\n  TLS_CERT_FILE and TLS_KEY_FILE cannot be used together (${reason}). ` +
        `Check that ${keyFile} is the private key of ${certFile}, without a passphrase.`,
    );
  }
}
