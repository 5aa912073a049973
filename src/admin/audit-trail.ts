import { Injectable } from '@nestjs/common';
import { CacheStore } from '../cache';
import { Clock } from '../kernel/clock';
import { replicaName } from '../workers/worker-channel';
import type { AuditEntryDocument } from './entry.documents';
import { MAX_TARGET_LENGTH, type AdminAction, type AuditedInvalidation } from './admin-action';

const LOG = 'audit';
/** The limit of lines kept here while the store is down. */
const MAX_UNSENT = 100;

/** The last 500 invalidations by admins on all replicas, in the store. While it is down, the last hundred wait here. */
@Injectable()
export class AuditTrail {
  private unsent: AuditEntryDocument[] = [];

  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
  ) {}

  /** Stores the invalidation, and adds it to the action's line in the log. */
  async record(
    author: AdminAction,
    { outcome, ...given }: AuditedInvalidation & Pick<AuditEntryDocument, 'outcome'>,
  ): Promise<void> {
    const { by, token, requestId } = author;
    const invalidation = { ...given, target: given.target.slice(0, MAX_TARGET_LENGTH) };
    author.invalidation = invalidation;
    const entry: AuditEntryDocument = {
      ...{ at: new Date(this.clock.now()).toISOString(), replica: replicaName(), action: 'invalidate' },
      ...{ by, ...(token !== undefined && { token }), requestId, ...invalidation, outcome },
    };
    this.unsent = [...this.unsent, entry].slice(-MAX_UNSENT);
    await this.send();
  }

  /** Newest first. */
  async list(limit: number): Promise<readonly AuditEntryDocument[]> {
    await this.send();
    const lines = await this.store.shared.readLog(LOG, limit).catch(() => []);
    const waiting = [...this.unsent].reverse();
    return [...waiting, ...lines.flatMap(parse)].slice(0, limit);
  }

  private async send(): Promise<void> {
    const { unsent } = this;
    this.unsent = [];
    for (const [at, entry] of unsent.entries()) {
      try {
        await this.store.shared.appendToLog(LOG, JSON.stringify(entry));
      } catch {
        // The store logs its outage; the log has the action's own line.
        this.unsent = [...unsent.slice(at), ...this.unsent].slice(-MAX_UNSENT);
        return;
      }
    }
  }
}

/** An invalid line, such as one of another version, is skipped. */
function parse(line: string): readonly AuditEntryDocument[] {
  try {
    const entry = JSON.parse(line) as AuditEntryDocument;
    return typeof entry.at === 'string' ? [entry] : [];
  } catch {
    return [];
  }
}
