import { Injectable } from '@nestjs/common';
import {
  CacheInvalidator,
  keysMeant,
  prefixesMeant,
  tagOfAccount,
  tagsMeant,
  targetsOf,
  type InvalidationMessage,
  type InvalidationMode,
  type InvalidationTarget,
} from '../cache';
import { AppError } from '../kernel/app-error';
import type { AdminAction } from './admin-action';
import type { InvalidatedDocument } from './entry.documents';
import { AuditTrail } from './audit-trail';
import { keyOf } from './named-keys';

/** Invalidates for admins, and adds a line for each to the audit trail, also for a failed one. */
@Injectable()
export class AdminService {
  constructor(
    private readonly invalidator: CacheInvalidator,
    private readonly trail: AuditTrail,
  ) {}

  invalidateKeys(keys: readonly string[], mode: InvalidationMode, author: AdminAction): Promise<InvalidatedDocument> {
    const named = new Set(keys.flatMap((key) => [keyOf(key), ...keysMeant(key)]));
    const targets = [...named].map((key) => ({ kind: 'key' as const, key }));
    return this.invalidate(targets, mode, author);
  }

  invalidateTags(tags: readonly string[], mode: InvalidationMode, author: AdminAction): Promise<InvalidatedDocument> {
    if (tags.includes('')) throw new AppError('request-invalid', 'Name a tag, such as account:redis.');
    const targets = tags.flatMap(tagsMeant).map((tag) => ({ kind: 'tag' as const, tag }));
    return this.invalidate(targets, mode, author);
  }

  invalidatePrefix(prefix: string, mode: InvalidationMode, author: AdminAction): Promise<InvalidatedDocument> {
    const targets = prefixesMeant(prefix).map((one) => ({ kind: 'prefix' as const, prefix: one }));
    return this.invalidate(targets, mode, author);
  }

  invalidateAccount(account: string, mode: InvalidationMode, author: AdminAction): Promise<InvalidatedDocument> {
    return this.invalidateTags([tagOfAccount(account)], mode, author);
  }

  invalidateBatch(message: InvalidationMessage, author: AdminAction): Promise<InvalidatedDocument> {
    return this.invalidate(targetsOf(message), message.mode, author);
  }

  private async invalidate(
    targets: readonly InvalidationTarget[],
    mode: InvalidationMode,
    author: AdminAction,
  ): Promise<InvalidatedDocument> {
    let count = 0;
    let outcome: 'done' | 'failed' = 'failed';
    try {
      count = await this.invalidator.invalidate(targets, mode, 'admin');
      outcome = 'done';
      return { invalidated: count };
    } finally {
      await this.trail.record(author, { target: textOf(targets), mode, count, outcome });
    }
  }
}

/** The trail cuts long texts. */
function textOf(targets: readonly InvalidationTarget[]): string {
  const texts = [...new Set(targets.map(nameOf))];
  return texts.length > 1 ? `${texts.length} targets: ${texts.slice(0, 20).join(', ')}` : texts.join();
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
