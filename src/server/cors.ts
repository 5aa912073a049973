/** Any, or the origins (`https://app.example`) whose pages may read responses; an empty list for none. */
export type AllowedOrigins = '*' | readonly string[];

/**
 * Which pages may read responses (https://fetch.spec.whatwg.org/#http-cors-protocol). Without a list that is the same for all requests;
 * with one it depends on `Origin`, which is then in `Vary`.
 */
export class Cors {
  constructor(
    private readonly origins: AllowedOrigins,
    /** The fields that an allowed page may read, in the form of `Access-Control-Expose-Headers`. */
    private readonly exposed: string,
  ) {}

  get allowsAny(): boolean {
    return this.origins === '*';
  }

  /** Whether the fields depend on the request. */
  get isByOrigin(): boolean {
    return this.origins !== '*' && this.origins.length > 0;
  }

  allows(origin: string | undefined): boolean {
    return this.origins === '*' || (origin !== undefined && this.origins.includes(origin));
  }

  /** The fields for a request of this origin. */
  fieldsFor(origin: string | undefined): Readonly<Record<string, string>> {
    const vary: Record<string, string> = this.isByOrigin ? { vary: 'Origin' } : {};
    if (!this.allows(origin)) return vary;
    const allowed = this.origins === '*' ? '*' : (origin ?? '');
    return { 'access-control-allow-origin': allowed, 'access-control-expose-headers': this.exposed, ...vary };
  }
}
