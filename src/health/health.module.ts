import { Module } from '@nestjs/common';
import { TerminusModule } from '@nestjs/terminus';
import { HealthController } from './health.controller';
import { StoreIndicator } from './store.indicator';
import { UpstreamIndicator } from './upstream.indicator';

@Module({
  imports: [TerminusModule.forRoot({ logger: false })],
  controllers: [HealthController],
  providers: [StoreIndicator, UpstreamIndicator],
})
export class HealthModule {}
