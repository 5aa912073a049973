/** The fault of `HOST` or `PORT` when the service cannot listen on them. */
type Failure = (host: string, port: number) => string;

const FAILURES: Readonly<Record<string, Failure>> = {
  EADDRINUSE: (host, port) => `PORT ${port} is in use on ${host} (EADDRINUSE). Example: PORT=${port + 1}`,
  EACCES: (host, port) => `PORT ${port} may not be listened on by this user on ${host} (EACCES). Example: PORT=8081`,
  EADDRNOTAVAIL: (host) => `HOST ${host} is no address of this machine (EADDRNOTAVAIL). Example: HOST=0.0.0.0`,
  ENOTFOUND: (host) => `HOST ${host} is not known (ENOTFOUND). Example: HOST=0.0.0.0`,
  EAI_AGAIN: (host) => `HOST ${host} is not known (EAI_AGAIN). Example: HOST=0.0.0.0`,
  EINVAL: (host) => `HOST ${host} cannot be listened on (EINVAL). Example: HOST=0.0.0.0`,
};

/** In one line that names the variable and an example; undefined for other errors. */
export function listenFailure(error: unknown, host: string, port: number): string | undefined {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (!['listen', 'bind', 'getaddrinfo'].includes(syscall ?? '')) return undefined;
  return FAILURES[code ?? '']?.(host, port);
}
