import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { getExecutable } from './executables';
import { makeTempFolder, removeTempFolder } from './temp-folder';

export interface TlsAuthorityOptions {
  /** The names in the server's certificate. */
  serverNames?: readonly string[];
}

/**
 * A certificate authority of a test, with one server and one client certificate, made by openssl and valid for two days.
 * Two authorities do not trust each other: a second one makes the certificates that must be refused.
 */
export class TlsAuthority {
  readonly caFile: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCertFile: string;
  readonly clientKeyFile: string;

  private constructor(readonly dir: string) {
    this.caFile = join(dir, 'ca.crt');
    this.certFile = join(dir, 'server.crt');
    this.keyFile = join(dir, 'server.key');
    this.clientCertFile = join(dir, 'client.crt');
    this.clientKeyFile = join(dir, 'client.key');
  }

  static async create({ serverNames = ['127.0.0.1', 'localhost'] }: TlsAuthorityOptions = {}): Promise<TlsAuthority> {
    const authority = new TlsAuthority(makeTempFolder('tls'));
    await authority.openssl(
      ...['req', '-x509', ...newKey('ca.key'), '-days', '2', '-subj', '/CN=Larder test authority', '-out', 'ca.crt'],
    );
    // Redis uses one certificate for both roles when it replicates, hence clientAuth.
    const names = serverNames.map((name) => `${/^[\d.]+$/.test(name) ? 'IP' : 'DNS'}:${name}`).join(',');
    await authority.sign('server', `extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=${names}\n`);
    await authority.sign('client', 'extendedKeyUsage=clientAuth\n');
    return authority;
  }

  /** Removes the files. */
  remove(): void {
    removeTempFolder(this.dir);
  }

  private async sign(role: 'server' | 'client', extensions: string): Promise<void> {
    const [request, certificate, settings] = [`${role}.csr`, `${role}.crt`, `${role}.ext`];
    writeFileSync(join(this.dir, settings), extensions);
    await this.openssl('req', '-new', ...newKey(`${role}.key`), '-subj', `/CN=larder-${role}`, '-out', request);
    const authority = ['-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-sha256'];
    await this.openssl('x509', '-req', '-in', request, ...authority, '-extfile', settings, '-out', certificate);
  }

  private async openssl(...args: string[]): Promise<void> {
    await promisify(execFile)(getExecutable('openssl'), args, { cwd: this.dir });
  }
}

function newKey(file: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file];
}
