import { Module, type Type } from '@nestjs/common';
import { boot } from './bootstrap/boot';

/**
 * Starts the service with a root module of one's own beside those of the service: its upstreams, controllers and providers. Settings are
 * those of `.env.sample`, and of the upstreams.
 */
export function startService(root: Type): Promise<void> {
  // Imported now: it reads the settings, those of the root module's upstreams, too.
  return boot(async () => serviceRoot((await import('./app.module.js')).AppModule, root));
}

/** The service's modules and another team's as one. */
export function serviceRoot(service: Type, own: Type): Type {
  @Module({ imports: [service, own] })
  class ServiceModule {}
  return ServiceModule;
}
