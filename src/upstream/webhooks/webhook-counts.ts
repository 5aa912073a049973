import { Injectable } from '@nestjs/common';

/** What became of a delivery. */
export type DeliveryResult = 'done' | 'duplicate' | 'unknown-event' | 'unsigned' | 'refused' | 'malformed' | 'failed';

export interface DeliveryCount {
  readonly upstream: string;
  readonly event: string;
  readonly result: DeliveryResult;
  count: number;
}

/** The number of webhooks, for metrics: operations know no upstream. */
@Injectable()
export class WebhookCounts {
  private readonly counts = new Map<string, DeliveryCount>();

  /** @param event of a list that is known: it becomes a label */
  add(upstream: string, event: string, result: DeliveryResult): void {
    const name = `${upstream} ${event} ${result}`;
    const counted = this.counts.get(name);
    if (counted) counted.count += 1;
    else this.counts.set(name, { upstream, event, result, count: 1 });
  }

  all(): readonly DeliveryCount[] {
    return [...this.counts.values()];
  }
}
