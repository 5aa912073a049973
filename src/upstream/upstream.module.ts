import { HttpModule } from '@nestjs/axios';
import { Global, Inject, Module, type DynamicModule } from '@nestjs/common';
import { Breakers } from './breakers';
import { Budgets } from './budget/budgets';
import type { SettingsShape, UpstreamDefinition } from './upstream-definition';
import { UPSTREAM_PARTS, upstreamParts, type UpstreamParts } from './upstream-parts';
import { declareUpstreamSettings } from './upstream-settings';
import { Upstream } from './upstream';
import { Upstreams } from './upstreams';
import { WebhookCounts } from './webhooks/webhook-counts';

/** The providers that all upstreams share. */
@Global()
@Module({
  imports: [HttpModule],
  providers: [Breakers, Budgets, Upstreams, WebhookCounts, upstreamParts],
  exports: [Breakers, Budgets, Upstreams, WebhookCounts, UPSTREAM_PARTS],
})
class SharedUpstreamModule {}

/** Puts an upstream behind the cache: `imports: [UpstreamModule.register(definition)]`. */
@Module({ imports: [SharedUpstreamModule] })
export class UpstreamModule {
  static register<S extends SettingsShape>(definition: UpstreamDefinition<S>): DynamicModule {
    declareUpstreamSettings(definition);
    const upstream = Symbol(`larder.upstream.${definition.name}`);
    return {
      module: UpstreamModule,
      imports: [SharedUpstreamModule],
      providers: [
        {
          provide: upstream,
          inject: [UPSTREAM_PARTS, Upstreams],
          useFactory: (parts: UpstreamParts, upstreams: Upstreams) => upstreams.add(new Upstream(definition, parts)),
        },
        {
          provide: getUpstreamToken(definition.name),
          inject: [upstream],
          useFactory: ({ client }: Upstream) => client,
        },
      ],
      exports: [getUpstreamToken(definition.name)],
    };
  }
}

/** Injects the `UpstreamClient` of an upstream: `@InjectUpstream('acme') client: UpstreamClient`. */
export function InjectUpstream(upstream: string | { readonly name: string }): ParameterDecorator & PropertyDecorator {
  return Inject(getUpstreamToken(typeof upstream === 'string' ? upstream : upstream.name));
}

/** The injection token of an upstream's client, for factories and tests. */
export function getUpstreamToken(name: string): string {
  return `larder.upstream-client.${name}`;
}
