import { Global, Module } from '@nestjs/common';
import { Budgets } from './budget/budgets';

/** What all upstreams share. */
@Global()
@Module({ providers: [Budgets], exports: [Budgets] })
export class UpstreamModule {}
