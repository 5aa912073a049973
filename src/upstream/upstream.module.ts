import { Global, Module } from '@nestjs/common';
import { Budgets } from './budget/budgets';
import { Breakers } from './breakers';
import { WebhookCounts } from './webhook-counts';

/** What all upstreams share. */
@Global()
@Module({ providers: [Breakers, Budgets, WebhookCounts], exports: [Breakers, Budgets, WebhookCounts] })
export class UpstreamModule {}
