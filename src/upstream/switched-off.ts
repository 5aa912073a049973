import type { OnModuleInit } from '@nestjs/common';
import type { FastifyInstance } from 'fastify';
import { AppError } from '../kernel/app-error';
import { declareRawRoutes } from './raw-routes';
import type { UpstreamClient } from './upstream-client';
import type { UpstreamDefinition } from './upstream-definition';
import type { UpstreamParts } from './upstream-parts';
import { routePrefixOf, settingName } from './upstream-settings';
import { webhookPath } from './webhooks/webhook-definition';

/**
 * An upstream that `NAME_ENABLED=false` switches off. It has no gateway, budget, webhooks, metrics or documents; on its paths, a 404
 * names the variable.
 */
export class SwitchedOff implements OnModuleInit {
  /** Every call fails with that 404, so that providers may go on injecting the client. */
  readonly client: UpstreamClient;

  constructor(
    private readonly definition: UpstreamDefinition,
    private readonly routes: readonly string[],
    private readonly parts: UpstreamParts,
  ) {
    const refuse = (): Promise<never> => Promise.reject(this.refusal());
    const { name } = definition;
    const client: Pick<UpstreamClient, keyof UpstreamClient> = { name, get: refuse, project: refuse, fetch: refuse };
    this.client = client as UpstreamClient;
  }

  onModuleInit(): void {
    const { httpAdapter } = this.parts.adapterHost as Partial<UpstreamParts['adapterHost']>;
    if (!httpAdapter) return; // a process without HTTP
    const fastify = httpAdapter.getInstance<FastifyInstance>();
    declareRawRoutes(httpAdapter, (scope) => {
      const route = {
        method: scope.supportedMethods,
        exposeHeadRoute: false,
        handler: () => Promise.reject(this.refusal()),
      };
      for (const url of this.urls()) if (!fastify.hasRoute({ method: 'GET', url })) scope.route({ ...route, url });
    });
  }

  private urls(): readonly string[] {
    const { name } = this.definition;
    const taken = this.parts.prefixes();
    // A gateway at `/` may have paths with the names of routes; a request for another API, and its credential, are not for it.
    const routes = taken.includes('') ? [] : this.routes.map((one) => `/${one}`);
    const roots = [routePrefixOf(this.definition), ...routes].filter(
      (root) => root !== '/' && !taken.some((prefix) => `${prefix}/`.startsWith(`${root}/`)),
    );
    return [...roots.flatMap((root) => [root, `${root}/*`]), webhookPath(name)];
  }

  private refusal(): AppError {
    const { name, title = name } = this.definition;
    const variable = settingName(this.definition, 'ENABLED');
    return new AppError('route-not-found', `${title} is switched off. Set ${variable}=true to switch it on.`);
  }
}
