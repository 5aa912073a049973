import { Injectable } from '@nestjs/common';
import { CacheStore } from '../cache';
import { Clock } from '../kernel/clock';
import { replicaName } from '../workers/worker-channel';
import { MAX_TARGET_LENGTH, type AdminAction, type AuditedInvalidation } from './admin-action';

const LOG = 'audit';
/** The limit of lines kept here while the store is down. */
const MAX_UNSENT = 100;

/** An invalidation by an admin, or an attempt: the request's address, and its id in response and log. Never a token. */
export interface AuditEntry extends AuditedInvalidation {
  readonly by: string;
  /** The name of the admin token; absent in entries of earlier versions. */
  readonly token?: string;
  readonly requestId: string;
  /** ISO 8601. */
  readonly at: string;
  readonly replica: string;
  readonly action: 'invalidate';
  readonly outcome: 'done' | 'failed';
}

/** The last 500 invalidations by admins on all replicas, in the store. While it is down, the last hundred wait here. */
@Injectable()
export class AuditTrail {
  private unsent: AuditEntry[] = [];

  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
  ) {}

  /** Stores the invalidation, and adds it to the action's line in the log. */
  async record(
    author: AdminAction,
    { outcome, ...given }: AuditedInvalidation & Pick<AuditEntry, 'outcome'>,
  ): Promise<void> {
    const { by, token, requestId } = author;
    const invalidation = { ...given, target: given.target.slice(0, MAX_TARGET_LENGTH) };
    author.invalidation = invalidation;
    const entry: AuditEntry = {
      ...{ at: new Date(this.clock.now()).toISOString(), replica: replicaName(), action: 'invalidate' },
      ...{ by, ...(token !== undefined && { token }), requestId, ...invalidation, outcome },
    };
    this.unsent = [...this.unsent, entry].slice(-MAX_UNSENT);
    await this.send();
  }

  /** Newest first. */
  async list(limit: number): Promise<readonly AuditEntry[]> {
    await this.send();
    const lines = await this.store.readLog(LOG, limit).catch(() => []);
    const waiting = [...this.unsent].reverse();
    return [...waiting, ...lines.flatMap(parse)].slice(0, limit);
  }

  private async send(): Promise<void> {
    const { unsent } = this;
    this.unsent = [];
    for (const [at, entry] of unsent.entries()) {
      try {
        await this.store.appendToLog(LOG, JSON.stringify(entry));
      } catch {
        // The store logs that it is down; the line above has the action.
        this.unsent = [...unsent.slice(at), ...this.unsent].slice(-MAX_UNSENT);
        return;
      }
    }
  }
}

/** An invalid line, such as one of another version, is skipped. */
function parse(line: string): readonly AuditEntry[] {
  try {
    const entry = JSON.parse(line) as AuditEntry;
    return typeof entry.at === 'string' ? [entry] : [];
  } catch {
    return [];
  }
}
