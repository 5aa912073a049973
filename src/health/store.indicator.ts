import { Injectable } from '@nestjs/common';
import { HealthIndicatorService, type HealthIndicatorResult } from '@nestjs/terminus';
import { StoreHealth } from '../cache';

@Injectable()
export class StoreIndicator {
  constructor(
    private readonly indicators: HealthIndicatorService,
    private readonly store: StoreHealth,
  ) {}

  check(): HealthIndicatorResult {
    const { isUp, ...state } = this.store.get();
    return this.indicators.check('store').up({ state: isUp ? 'up' : 'degraded', ...state });
  }
}
