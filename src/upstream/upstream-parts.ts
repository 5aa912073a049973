import { randomBytes } from 'node:crypto';
import type { FactoryProvider } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { ConfigType } from '@nestjs/config';
import { CacheEvents, CacheStore, Loader, CacheInvalidator, SettlingTags, StoredEntries } from '../cache';
import { FastPath, PreparedResponses } from '../cache/fast-path';
import { cacheConfig, serviceConfig, upstreamConfig } from '../config/slices';
import { Clock } from '../kernel/clock';
import { mountedDefinitions, upstreamSettings } from './upstream-settings';

const PROVIDERS = {
  ...{ adapterHost: HttpAdapterHost, store: CacheStore, loader: Loader, cache: CacheInvalidator },
  ...{ settling: SettlingTags, events: CacheEvents, prepared: PreparedResponses, fastPath: FastPath },
  ...{ entries: StoredEntries, clock: Clock },
};
const SLICES = { service: serviceConfig, caching: cacheConfig, upstreams: upstreamConfig };

type Provided = { readonly [Name in keyof typeof PROVIDERS]: (typeof PROVIDERS)[Name]['prototype'] };
type Settings = { readonly [Name in keyof typeof SLICES]: ConfigType<(typeof SLICES)[Name]> };

/** The dependencies of every upstream. */
export interface UpstreamParts extends Provided, Settings {
  readonly adapterHost: HttpAdapterHost;
  /** By which callers' ids are hashed. */
  readonly credentialSecret: string;
  /** Where the gateways of all upstreams are mounted. */
  readonly prefixes: () => readonly string[];
}

export const UPSTREAM_PARTS = Symbol('larder.upstream-parts');

/** The one place where upstreams are wired to the rest of the service. */
export const upstreamParts: FactoryProvider<UpstreamParts> = {
  provide: UPSTREAM_PARTS,
  inject: [...Object.values(PROVIDERS), ...Object.values(SLICES).map(({ KEY }) => KEY)],
  useFactory: (...injected: readonly unknown[]): UpstreamParts => {
    const names = [...Object.keys(PROVIDERS), ...Object.keys(SLICES)];
    const given = Object.fromEntries(names.map((name, at) => [name, injected[at]])) as unknown as Provided & Settings;
    return {
      ...given,
      credentialSecret: given.upstreams.credentialSecret ?? randomBytes(32).toString('hex'),
      prefixes: () => mountedDefinitions().map((definition) => upstreamSettings(definition).routePrefix),
    };
  },
};
