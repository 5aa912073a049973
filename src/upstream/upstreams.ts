import { Injectable } from '@nestjs/common';
import { EnvironmentError } from '../config/env.schema';
import type { Upstream } from './upstream';
import { settingName } from './upstream-settings';

/** The upstreams that are mounted, in that order, for operations that know none of them. */
@Injectable()
export class Upstreams {
  private readonly upstreams: Upstream[] = [];

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
      if (!areSeparate && (`${prefix}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${prefix}/`)))
        throw new EnvironmentError(
          `The configuration is wrong:\n  ${settingName({ name }, 'ROUTE_PREFIX')} meets that of ${definition.name}, ${other || '/'}. Example: ${settingName({ name }, 'ROUTE_PREFIX')}=/${name}`,
        );
    }
    this.upstreams.push(upstream);
    return upstream;
  }

  all(): readonly Upstream[] {
    return this.upstreams;
  }
}
