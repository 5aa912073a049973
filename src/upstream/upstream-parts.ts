import { randomBytes } from 'node:crypto';
import type { FactoryProvider } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { ConfigType } from '@nestjs/config';
import { CacheEvents, CacheStore, Loader, CacheInvalidator, SettlingTags, StoredResources } from '../cache';
import { FastPath, PreparedResponses } from '../cache/fast-path';
import { cacheConfig, serviceConfig, upstreamConfig } from '../config/slices';
import { Clock } from '../kernel/clock';
import { Breakers } from './breakers';
import { Budgets } from './budget/budgets';
import { mountedDefinitions, upstreamSettings } from './upstream-settings';
import { WebhookCounts } from './webhooks/webhook-counts';

/** The dependencies of every upstream. */
export interface UpstreamParts {
  readonly adapterHost: HttpAdapterHost;
  readonly store: CacheStore;
  readonly loader: Loader;
  readonly cache: CacheInvalidator;
  readonly settling: SettlingTags;
  readonly events: CacheEvents;
  readonly prepared: PreparedResponses;
  readonly fastPath: FastPath;
  readonly resources: StoredResources;
  readonly clock: Clock;
  readonly breakers: Breakers;
  readonly budgets: Budgets;
  readonly webhooks: WebhookCounts;
  readonly service: ConfigType<typeof serviceConfig>;
  readonly caching: ConfigType<typeof cacheConfig>;
  readonly upstreams: ConfigType<typeof upstreamConfig>;
  /** By which callers' ids are hashed. */
  readonly credentialSecret: string;
  /** Where the gateways of all upstreams are mounted. */
  readonly prefixes: () => readonly string[];
}

export const UPSTREAM_PARTS = Symbol('larder.upstream-parts');

type Injected = [
  ...[
    HttpAdapterHost,
    CacheStore,
    Loader,
    CacheInvalidator,
    SettlingTags,
    CacheEvents,
    PreparedResponses,
    StoredResources,
    FastPath,
  ],
  ...[Clock, Breakers, Budgets, WebhookCounts],
  ...[UpstreamParts['service'], UpstreamParts['caching'], UpstreamParts['upstreams']],
];

/** The one place where upstreams are wired to the rest of the service. */
export const upstreamParts: FactoryProvider<UpstreamParts> = {
  provide: UPSTREAM_PARTS,
  inject: [
    ...[
      HttpAdapterHost,
      CacheStore,
      Loader,
      CacheInvalidator,
      SettlingTags,
      CacheEvents,
      PreparedResponses,
      StoredResources,
      FastPath,
    ],
    ...[Clock, Breakers, Budgets, WebhookCounts],
    ...[serviceConfig.KEY, cacheConfig.KEY, upstreamConfig.KEY],
  ],
  useFactory: (...injected: Injected): UpstreamParts => {
    const [adapterHost, store, loader, cache, settling, events, prepared, resources, fastPath, ...more] = injected;
    const [clock, breakers, budgets, webhooks, service, caching, upstreams] = more;
    const credentialSecret = upstreams.credentialSecret ?? randomBytes(32).toString('hex');
    return {
      ...{ adapterHost, store, loader, cache, settling, events, prepared, resources, fastPath, clock },
      ...{ breakers, budgets, webhooks, service, caching, upstreams, credentialSecret },
      prefixes: () => mountedDefinitions().map((definition) => upstreamSettings(definition).routePrefix),
    };
  },
};
