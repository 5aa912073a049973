import type { CacheStore, Lease, LeaseAnswer } from '../cache-store';
import { WorkerAcks } from './worker-acks';
import { REMOTE_OPERATIONS, type StoreMessage, type StorePort } from './store-messages';

/** Operations after which no process may answer with an older entry. */
const IS_CONFIRMED: ReadonlySet<string> = new Set(['put', 'invalidate']);

type Calls = Readonly<Record<string, (...args: readonly unknown[]) => Promise<unknown>>>;

/**
 * Keeps one store for several processes: answers their calls and publishes every change to all of them.
 *
 * Its one invariant: an invalidation is answered once every process has received it, or does not use its copies any more, so that a caller
 * that then asks another process does not get an older entry. When a process dies its leases are released.
 */
export class StoreHost {
  private readonly ports = new Map<StorePort, WorkerAcks>();

  constructor(private readonly store: CacheStore) {
    store.onChange((change) => {
      for (const port of this.ports.keys()) port.post({ store: 'change', change });
    });
  }

  serve(port: StorePort): void {
    const leases = new Map<string, Lease>();
    this.ports.set(port, new WorkerAcks(port));
    port.onMessage((message) => {
      if (message.store === 'call') void this.answer(port, message, leases);
    });
    port.onClose(() => {
      this.ports.delete(port);
      for (const lease of leases.values()) void this.store.release(lease);
    });
  }

  private async answer(
    port: StorePort,
    { id, part, operation, args }: Extract<StoreMessage, { store: 'call' }>,
    leases: Map<string, Lease>,
  ): Promise<void> {
    try {
      const names: readonly string[] = REMOTE_OPERATIONS[part];
      if (!names.includes(operation)) throw new Error(`There is no operation ${operation}.`);
      const target = part === 'entries' ? this.store : this.store[part];
      const value = await (target as unknown as Calls)[operation]?.(...args);
      noteLeases(operation, args, value, leases);
      if (IS_CONFIRMED.has(operation)) await this.ackedByOthers(port);
      if (this.ports.has(port)) port.post({ store: 'result', id, value });
      else if (operation === 'acquire') await this.giveBack(value as LeaseAnswer);
    } catch (error) {
      port.post({ store: 'result', id, failure: error instanceof Error ? error.message : String(error) });
    }
  }

  /** The calling process receives its own change before the answer: messages keep their order. */
  private async ackedByOthers(caller: StorePort): Promise<void> {
    const others = [...this.ports].filter(([port]) => port !== caller);
    await Promise.all(others.map(([, acks]) => acks.waitForAck()));
  }

  /** The process died while its lease was on the way. */
  private async giveBack(answer: LeaseAnswer): Promise<void> {
    if (answer.kind === 'granted') await this.store.release(answer.lease);
  }
}

function noteLeases(operation: string, args: readonly unknown[], value: unknown, leases: Map<string, Lease>): void {
  if (operation === 'acquire') {
    const answer = value as LeaseAnswer;
    if (answer.kind === 'granted') leases.set(answer.lease.token, answer.lease);
  } else if (['fill', 'release', 'fail'].includes(operation)) {
    const { token, selection } = args[0] as Lease;
    // The lease of a selection outlives a fill that was refused.
    if (operation !== 'fill' || value === true || selection === undefined) leases.delete(token);
  }
}
