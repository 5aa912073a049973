import { Module } from '@nestjs/common';
import { ConfigModule, type ConfigType } from '@nestjs/config';
import { AdminModule } from './admin/admin.module';
import { ResponseCacheModule, type ResponseCacheRegistration } from './cache';
import { envFiles, requireEnvironment } from './config/env.schema';
import { cacheConfig, redisConfig, serviceConfig, slices } from './config/slices';
import { GithubModule } from './github/github.module';
import { GitlabModule } from './gitlab/gitlab.module';
import { HealthModule } from './health/health.module';
import { EDGE_FIELDS, requestId } from './server/edge-hooks';
import { LarderAdapter } from './server/larder-adapter';
import { LiveModule } from './live/live.module';
import { MetricsModule } from './metrics/metrics.module';
import type { RedisSettings } from './redis/redis-client-options';
import { StackExchangeModule } from './stackexchange/stackexchange.module';
import { UpstreamModule } from './upstream';
import { WebModule } from './web/web.module';
import { processesOf } from './workers/primary';
import { portToPrimary } from './workers/worker-channel';

/** The list of modules. Another upstream is one line here. */
@Module({
  imports: [
    ConfigModule.forRoot({ isGlobal: true, load: slices, envFilePath: envFiles(), validate: requireEnvironment }),
    ResponseCacheModule.forRootAsync({
      inject: [cacheConfig.KEY, redisConfig.KEY, serviceConfig.KEY],
      useFactory: (
        {
          l1,
          leaseMs,
          deadlineMs,
          staleAfterMs,
          servesStaleDespiteDirectives,
          loadTimeoutMs,
          maxEntryBytes,
          settleMs,
          fastPathEnabled,
          ...policy
        }: ConfigType<typeof cacheConfig>,
        { store, ...redis }: ConfigType<typeof redisConfig>,
        { workers }: ConfigType<typeof serviceConfig>,
      ): ResponseCacheRegistration => ({
        servesStaleDespiteDirectives,
        ...{ policy, l1, leaseMs, deadlineMs, staleAfterMs, loadTimeoutMs, maxEntryBytes, settleMs, fastPathEnabled },
        processes: processesOf(workers),
        edgeFields: EDGE_FIELDS,
        fastPathGate: (adapter) => (adapter instanceof LarderAdapter ? adapter.gate : undefined),
        requestId,
        store,
        port: redis.endpoint === undefined ? portToPrimary() : undefined,
        redis:
          redis.endpoint === undefined ? undefined : ({ ...redis, endpoint: redis.endpoint } satisfies RedisSettings),
      }),
    }),
    UpstreamModule,
    GithubModule,
    GitlabModule,
    StackExchangeModule,
    AdminModule,
    HealthModule,
    MetricsModule,
    LiveModule,
    WebModule,
  ],
})
export class AppModule {}
