import { Global, Module } from '@nestjs/common';
import { Budgets } from './budget/budgets';
import { WebhookCounts } from './webhook-counts';

/** What all upstreams share. */
@Global()
@Module({ providers: [Budgets, WebhookCounts], exports: [Budgets, WebhookCounts] })
export class UpstreamModule {}
