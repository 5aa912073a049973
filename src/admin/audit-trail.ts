import { Injectable, Logger } from '@nestjs/common';
import { CacheStore, type InvalidationMode } from '../cache';
import { Clock } from '../kernel/clock';
import { replicaName } from '../workers/worker-channel';

const LOG = 'audit';
/** The limit of lines kept here while the store is down. */
const MAX_UNSENT = 100;
const MAX_TARGET_LENGTH = 500;

/** The author of an action: the address of the request, and its id in response and log. Never a token. */
export interface Actor {
  readonly by: string;
  /** The name of the admin token; absent in entries of earlier versions. */
  readonly token?: string;
  readonly requestId: string;
}

/** An action of an admin, or an attempt. */
export interface AuditEntry extends Actor {
  /** ISO 8601. */
  readonly at: string;
  readonly replica: string;
  readonly action: 'invalidate';
  readonly target: string;
  readonly mode: InvalidationMode;
  readonly count: number;
  readonly outcome: 'done' | 'failed';
}

/**
 * The last 500 actions of admins on all replicas: each is one line in the log, and one in the store. While the store is down, the last
 * hundred wait here.
 */
@Injectable()
export class AuditTrail {
  private readonly logger = new Logger('Audit');
  private unsent: AuditEntry[] = [];

  constructor(
    private readonly store: CacheStore,
    private readonly clock: Clock,
  ) {}

  async record(action: Omit<AuditEntry, 'at' | 'replica' | 'action'>): Promise<void> {
    const entry: AuditEntry = {
      ...{ at: new Date(this.clock.now()).toISOString(), replica: replicaName(), action: 'invalidate' },
      ...{ ...action, target: action.target.slice(0, MAX_TARGET_LENGTH) },
    };
    const line = { msg: 'admin action', ...entry };
    if (entry.outcome === 'failed') this.logger.warn(line);
    else this.logger.log(line);
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
