import { Injectable } from '@nestjs/common';
import { CacheEvents, isFromStore } from '../cache';
import { EnvironmentError } from '../config/env.schema';
import type { ResourceLimit } from './budget/credential-budget';
import type { Savings } from './budget/rate-budget';
import type { Upstream } from './upstream';
import { settingName } from './upstream-settings';

/** A limit of one credential: a partition's id, never a token. */
export interface NamedLimit {
  readonly upstream: string;
  readonly credential: string;
  readonly resource: string;
  readonly limit: ResourceLimit;
}

/** The upstreams that are mounted, in that order, for operations that know none of them. */
@Injectable()
export class Upstreams {
  private readonly upstreams: Upstream[] = [];
  private readonly savings = new Map<string, Savings>();

  constructor(events: CacheEvents) {
    events.subscribe(({ upstream, outcome }) => {
      const savings = this.savings.get(upstream);
      if (!savings) return;
      if (isFromStore(outcome)) savings.stored += 1;
      else if (outcome === 'COALESCED') savings.collapsed += 1;
    });
  }

  /** @throws EnvironmentError where two upstreams have one name, or one prefix is below another */
  add(upstream: Upstream): Upstream {
    const { name } = upstream.definition;
    const prefix = upstream.settings.routePrefix.toLowerCase();
    for (const { definition, settings } of this.upstreams) {
      const other = settings.routePrefix.toLowerCase();
      if (definition.name === name)
        throw new EnvironmentError(`The upstream "${name}" is mounted twice. Mount it once.`);
      // A longer prefix has precedence over `/`.
      const areSeparate = (prefix === '') !== (other === '');
      if (areSeparate || !(`${prefix}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${prefix}/`))) continue;
      const [first, second] = [definition.name, name].map((one) => settingName({ name: one }, 'ROUTE_PREFIX'));
      throw new EnvironmentError(
        `The configuration is wrong:\n  ${first} is ${other || '/'} and ${second} is ${prefix || '/'}: neither may be the other or below it. Example: ${first}=/${definition.name} and ${second}=/${name}`,
      );
    }
    this.upstreams.push(upstream);
    this.savings.set(name, upstream.budget.savings);
    return upstream;
  }

  all(): readonly Upstream[] {
    return this.upstreams;
  }

  /**
   * The limits of each upstream as this process knows them, for the credentials seen last. A limit whose window is over is left out: what
   * remains of the next one is not known before the next response.
   */
  limits(maxCredentials: number, now: number): readonly NamedLimit[] {
    return this.upstreams.flatMap(({ definition: { name: upstream }, budget }) =>
      budget.shared
        .peek()
        .slice(0, maxCredentials)
        .flatMap(([credential, { resources }]) =>
          Object.entries(resources)
            .filter(([, { resetAt }]) => resetAt > now)
            .map(([resource, limit]) => ({ upstream, credential, resource, limit })),
        ),
    );
  }
}
