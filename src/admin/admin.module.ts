import { Logger, Module, type NestModule, type OnApplicationBootstrap } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { HttpAdapterHost } from '@nestjs/core';
import { CacheStore } from '../cache';
import { adminConfig } from '../config/slices';
import { Clock } from '../kernel/clock';
import { AdminController } from './admin.controller';
import { AdminLog } from './admin-log';
import { AdminGuard } from './admin.guard';
import { AdminService } from './admin.service';
import { AuditTrail } from './audit-trail';
import { AuditController } from './audit.controller';
import { BudgetController } from './budget.controller';
import { AdminTokens } from './admin-tokens';
import { EntriesService } from './entries.service';
import { FailedAttempts } from '../server/failed-attempts';
import { JsonBodyGuard } from './json-body.guard';

/** Operations on the cache; knows no feature, only keys, tags and prefixes. */
@Module({
  controllers: [AdminController, AuditController, BudgetController],
  exports: [AdminGuard],
  providers: [
    AdminService,
    AdminLog,
    AuditTrail,
    EntriesService,
    AdminGuard,
    JsonBodyGuard,
    {
      provide: FailedAttempts,
      inject: [Clock, CacheStore],
      useFactory: (clock: Clock, store: CacheStore): FailedAttempts =>
        new FailedAttempts(clock, store, { group: 'admin-attempts', what: 'wrong admin tokens' }),
    },
    {
      provide: AdminTokens,
      inject: [adminConfig.KEY],
      useFactory: ({ tokens, isProduction }: ConfigType<typeof adminConfig>): AdminTokens =>
        AdminTokens.of(tokens, isProduction),
    },
  ],
})
export class AdminModule implements NestModule, OnApplicationBootstrap {
  constructor(
    private readonly tokens: AdminTokens,
    private readonly guard: AdminGuard,
    private readonly adapterHost: HttpAdapterHost,
  ) {}

  /** Nest calls this before it declares the routes. */
  configure(): void {
    this.guard.guardBodies(this.adapterHost.httpAdapter.getInstance());
  }

  onApplicationBootstrap(): void {
    const logger = new Logger('Admin');
    if (this.tokens.made !== undefined) logger.warn(`ADMIN_TOKEN is not set; for this run it is ${this.tokens.made}`);
    else if (!this.tokens.isEnabled)
      logger.warn(
        'Neither ADMIN_TOKEN nor ADMIN_TOKENS is set and NODE_ENV is production: the admin API is off (404).',
      );
  }
}
