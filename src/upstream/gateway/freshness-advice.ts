import type { HttpAnswer } from '../../cache';
import { valueOf } from '../../cache/law';
import type { AppliedGatewayRule } from './gateway-rules';

const FRESHNESS_FIELDS = ['cache-control', 'expires', 'last-modified', 'cdn-cache-control', 'surrogate-control'];

/**
 * Warns once about an API that says nothing of how long its responses are fresh: RFC 9111 gives those no lifetime, so that each use of a stored
 * one is a request to the API, until a rule says otherwise.
 */
export class FreshnessAdvice {
  private isGiven = false;

  constructor(
    /** The API's name in sentences, and the setting with the operator's rules. */
    private readonly names: { readonly title: string; readonly rulesFile: string },
    private readonly warn: (message: string) => void,
  ) {}

  /** @param rule of the path; undefined for none */
  note(answer: HttpAnswer, rule: AppliedGatewayRule | undefined, path: string): void {
    if (this.isGiven || answer.forwarded !== 'stale' || answer.outcome !== 'MISS') return;
    const { status, headers } = answer.kind === 'stored' ? answer.entry : answer;
    const { ttlMs, defaultTtlMs } = rule?.policy ?? {};
    if (status !== 200 || ttlMs !== undefined || defaultTtlMs !== undefined) return;
    if (FRESHNESS_FIELDS.some((name) => valueOf(headers, name) !== undefined)) return;
    this.isGiven = true;
    const { title, rulesFile } = this.names;
    this.warn(
      `${title} says nothing of how long ${path} is fresh (Cache-Control, Expires, Last-Modified), so that each request for it goes to ${title}. ` +
        `A rule says it: { "path": "/*", "defaultTtl": 60 } in the definition's rules or in ${rulesFile}.`,
    );
  }
}
