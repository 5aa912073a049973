export interface RedisTlsOptions {
  certFile: string;
  keyFile: string;
  caFile: string;
  /** Whether a client must show a certificate of the same authority. Default false. */
  authClients?: boolean;
}

export interface RedisOptions {
  port?: number;
  password?: string;
  /** With it, this ACL user may do everything by the password, and the default user is off. */
  username?: string;
  /** More ACL users, each as in a configuration file without the word `user`: `reader on >secret ~* +@read`. */
  acl?: readonly string[];
  config?: Readonly<Record<string, string>>;
  /** Directives that occur more than once, as whole lines. */
  configLines?: readonly string[];
  /** Serves TLS, and only TLS, on the port. */
  tls?: RedisTlsOptions;
  /** The working folder, by default a temporary one that `stop` removes. */
  dir?: string;
  /** Run as a sentinel. */
  isSentinel?: boolean;
}

/** The text of redis.conf: nothing is written to disk unless a test asks for it, and only this machine can connect. */
export function configFile(options: RedisOptions, port: number, dir: string): string {
  const { password, username, acl = [], config = {}, configLines = [], tls } = options;
  const lines = ['bind 127.0.0.1', `dir ${quote(dir)}`, 'daemonize no'];
  if (options.isSentinel !== true) lines.push('save ""', 'appendonly no', 'repl-diskless-sync-delay 0');
  lines.push(...(tls === undefined ? [`port ${port}`] : tlsLines(tls, port)));
  if (password !== undefined && username === undefined) lines.push(`requirepass ${quote(password)}`);
  if (username !== undefined) {
    const secret = password === undefined ? 'nopass' : quote(`>${password}`);
    lines.push('user default off', `user ${username} on ${secret} ~* &* +@all`);
  }
  lines.push(...acl.map((user) => `user ${user}`));
  lines.push(...Object.entries(config).map(([name, value]) => `${name} ${value === '' ? '""' : value}`));
  return [...lines, ...configLines, ''].join('\n');
}

function tlsLines({ certFile, keyFile, caFile, authClients = false }: RedisTlsOptions, port: number): string[] {
  return [
    'port 0',
    `tls-port ${port}`,
    `tls-cert-file ${quote(certFile)}`,
    `tls-key-file ${quote(keyFile)}`,
    `tls-ca-cert-file ${quote(caFile)}`,
    `tls-auth-clients ${authClients ? 'yes' : 'no'}`,
    'tls-replication yes',
  ];
}

function quote(text: string): string {
  return JSON.stringify(text);
}
