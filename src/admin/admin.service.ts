import { Injectable } from '@nestjs/common';
import { CacheInvalidator, targetsOf, type InvalidationMessage, type InvalidationTarget } from '../cache';
import { AppError } from '../kernel/app-error';
import type { AdminAction } from './admin-action';
import type { InvalidatedDocument } from './entry.documents';
import { AuditTrail } from './audit-trail';
import { NO_KEY } from './named-keys';

const NOTHING: InvalidationMessage = { keys: [], tags: [], accounts: [], prefixes: [], mode: 'purge' };

/** Invalidates for admins, and adds a line for each to the audit trail, also for a failed one. */
@Injectable()
export class AdminService {
  constructor(
    private readonly invalidator: CacheInvalidator,
    private readonly trail: AuditTrail,
  ) {}

  async invalidate(named: Partial<InvalidationMessage>, author: AdminAction): Promise<InvalidatedDocument> {
    const message = { ...NOTHING, ...named };
    if (message.keys.includes('')) throw new AppError('request-invalid', NO_KEY);
    if (message.tags.includes('')) throw new AppError('request-invalid', 'Name a tag, such as account:redis.');
    const targets = new Map(targetsOf(message).map((target) => [nameOf(target), target]));
    let count = 0;
    let outcome: 'done' | 'failed' = 'failed';
    try {
      count = await this.invalidator.invalidate([...targets.values()], message.mode, 'admin');
      outcome = 'done';
      return { invalidated: count };
    } finally {
      await this.trail.record(author, { target: textOf([...targets.keys()]), mode: message.mode, count, outcome });
    }
  }
}

/** The trail cuts long texts. */
function textOf(names: readonly string[]): string {
  return names.length > 1 ? `${names.length} targets: ${names.slice(0, 20).join(', ')}` : names.join();
}

function nameOf(target: InvalidationTarget): string {
  switch (target.kind) {
    case 'key':
      return `key ${target.key}`;
    case 'tag':
      return `tag ${target.tag}`;
    case 'prefix':
      return target.prefix === '' ? 'all' : `prefix ${target.prefix}`;
  }
}
