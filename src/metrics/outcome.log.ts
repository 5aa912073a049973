import { Inject, Injectable, Logger } from '@nestjs/common';
import type { ConfigType } from '@nestjs/config';
import { serviceConfig } from '../config/slices';
import { CacheEvents, isFromStore, type CacheEvent } from '../cache';
import { kindOfProblem } from '../kernel/problem-table';

/** One line for each request that needed the upstream, or failed; hits are logged at `debug`. */
@Injectable()
export class OutcomeLog {
  private readonly logger = new Logger('Cache');

  constructor(events: CacheEvents, @Inject(serviceConfig.KEY) { logLevel }: ConfigType<typeof serviceConfig>) {
    const logsHits = logLevel === 'debug' || logLevel === 'trace';
    events.subscribe((event) => {
      if (logsHits || event.outcome !== 'HIT') this.write(event);
    });
  }

  private write({ outcome, tier, key, status: answered, durationMs, failure, requestId }: CacheEvent): void {
    const status = answered ?? kindOfProblem(failure).status;
    const rounded = Math.round(durationMs * 10) / 10;
    const line = { msg: 'request', requestId, outcome, tier, key, status, durationMs: rounded, failure };
    if (outcome === 'ERROR' || outcome === 'STALE_ON_ERROR') this.logger.warn(line);
    else if (isFromStore(outcome)) this.logger.debug(line);
    else this.logger.log(line);
  }
}
