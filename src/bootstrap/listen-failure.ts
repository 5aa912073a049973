/** The fault of `HOST` or `PORT`, or of those of another listener (`ADMIN_HOST`, `HTTP_REDIRECT_PORT`), when the service cannot listen on them. */
type Failure = (host: string, port: number, prefix: string) => string;

const FAILURES: Readonly<Record<string, Failure>> = {
  EADDRINUSE: (host, port, prefix) =>
    `${prefix}PORT ${port} is in use on ${host} (EADDRINUSE). Example: ${prefix}PORT=${port + 1}`,
  EACCES: (host, port, prefix) =>
    `${prefix}PORT ${port} may not be listened on by this user on ${host} (EACCES). Example: ${prefix}PORT=8081`,
  EADDRNOTAVAIL: (host, _port, prefix) =>
    `${prefix}HOST ${host} is no address of this machine (EADDRNOTAVAIL). Example: ${prefix}HOST=0.0.0.0`,
  ENOTFOUND: (host, _port, prefix) => `${prefix}HOST ${host} is not known (ENOTFOUND). Example: ${prefix}HOST=0.0.0.0`,
  EAI_AGAIN: (host, _port, prefix) => `${prefix}HOST ${host} is not known (EAI_AGAIN). Example: ${prefix}HOST=0.0.0.0`,
  EINVAL: (host, _port, prefix) =>
    `${prefix}HOST ${host} cannot be listened on (EINVAL). Example: ${prefix}HOST=0.0.0.0`,
};

/** In one line that names the variable and an example; undefined for other errors. */
export function listenFailure(error: unknown, host: string, port: number, prefix = ''): string | undefined {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (!['listen', 'bind', 'getaddrinfo'].includes(syscall ?? '')) return undefined;
  return FAILURES[code ?? '']?.(host, port, prefix);
}
