/** The outcome of a delivery. */
export type DeliveryResult = 'done' | 'duplicate' | 'unknown-event' | 'unsigned' | 'refused' | 'malformed' | 'failed';

export interface DeliveryCount {
  readonly event: string;
  readonly result: DeliveryResult;
  count: number;
}

/** The number of an upstream's webhooks, for metrics. */
export class WebhookCounts {
  private readonly counts = new Map<string, DeliveryCount>();

  /** @param event of a list that is known: it becomes a label */
  add(event: string, result: DeliveryResult): void {
    const name = `${event} ${result}`;
    const counted = this.counts.get(name);
    if (counted) counted.count += 1;
    else this.counts.set(name, { event, result, count: 1 });
  }

  all(): readonly DeliveryCount[] {
    return [...this.counts.values()];
  }
}
