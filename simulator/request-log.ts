/** One request that the simulated API has seen. */
export interface LoggedRequest {
  readonly method: string;
  /** The path and query, without the base path. */
  readonly url: string;
  /** The pattern of the route, such as `/users/{login}`. */
  readonly route: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  status: number;
}

/** What the API has seen, so that a test can say how many calls there were. */
export class RequestLog {
  private readonly requests: LoggedRequest[] = [];

  add(request: LoggedRequest): void {
    this.requests.push(request);
  }

  all(): readonly LoggedRequest[] {
    return this.requests;
  }

  /** How many requests there were, to a route (`/users/{login}`) or whose URL matches. */
  count(of?: string | RegExp): number {
    if (of === undefined) return this.requests.length;
    return this.requests.filter(({ route, url }) =>
      typeof of === 'string' ? route === of || url === of : of.test(url),
    ).length;
  }

  byRoute(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { method, route } of this.requests)
      counts[`${method} ${route}`] = (counts[`${method} ${route}`] ?? 0) + 1;
    return counts;
  }

  reset(): void {
    this.requests.length = 0;
  }
}
