import type { InvalidationMode } from '../../cache';
import type { WebhookVerifier } from './webhook-verifiers';

/** The changes of an upstream's event. */
export interface WebhookEffect {
  /** Tags as the definition's `tags` has them. */
  readonly tags: readonly string[];
  /** `purge` removes, `stale` has what is stored validated before its next use. By default `purge`. */
  readonly mode?: InvalidationMode;
}

/** The webhooks of an upstream, at `/webhooks/NAME`; on when there is a `NAME_WEBHOOK_SECRET`. */
export interface WebhookDefinition {
  /** How a delivery proves who sent it: `hmacSignature`, `standardWebhooks`, `plainToken`, or one of your own. */
  readonly verifier: WebhookVerifier;
  /** Where the event's name is: a header field as the API writes it, or a function of the payload. Example: `X-Event` */
  readonly event: string | ((payload: unknown) => string | undefined);
  /** The header field with the delivery's id, as the API writes it. Without one a delivery is known by its body alone. */
  readonly delivery?: string;
  /** The changes of an event; undefined for an unknown event. */
  readonly effect: (event: string, payload: unknown) => WebhookEffect | undefined;
  /** The names of the events, which become labels of metrics; others count as `other`. By default all are `other`. */
  readonly events?: readonly string[];
  /** The limit of one body, in bytes. By default 25 MiB. */
  readonly maxBytes?: number;
  /** Within which a body must have arrived, in milliseconds. By default 10 s. */
  readonly withinMs?: number;
}

export function webhookPath(upstream: string): string {
  return `/webhooks/${upstream}`;
}
