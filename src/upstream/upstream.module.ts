import { Global, Inject, Module, type DynamicModule, type Provider, type Type } from '@nestjs/common';
import type { SettingsShape, UpstreamDefinition } from './upstream-definition';
import { UPSTREAM_PARTS, upstreamParts, type UpstreamParts } from './upstream-parts';
import { SwitchedOff } from './switched-off';
import { declareUpstreamSettings, isEnabled } from './upstream-settings';
import { Upstream } from './upstream';
import { Upstreams } from './upstreams';

/** The name under which Nest stores paths of controllers and of their methods (@nestjs/common, constants). */
const PATH_METADATA = 'path';

/** The providers that all upstreams share. */
@Global()
@Module({
  providers: [Upstreams, upstreamParts],
  exports: [Upstreams, UPSTREAM_PARTS],
})
class SharedUpstreamModule {}

/** Controllers and providers about one upstream. */
export type UpstreamFeature = Pick<DynamicModule, 'controllers' | 'providers'>;

/** Puts an upstream behind the cache: `imports: [UpstreamModule.register(definition)]`. */
@Module({ imports: [SharedUpstreamModule] })
export class UpstreamModule {
  /** @param feature controllers that are there only while the upstream is switched on, and their providers */
  static register<S extends SettingsShape>(
    definition: UpstreamDefinition<S>,
    { controllers = [], providers = [] }: UpstreamFeature = {},
  ): DynamicModule {
    const routes = firstSegments(controllers);
    declareUpstreamSettings(definition, routes);
    return {
      module: UpstreamModule,
      imports: [SharedUpstreamModule],
      // Read when Nest scans the modules: the decorators of modules run before `.env` is read.
      get controllers() {
        return isEnabled(definition) ? controllers : [];
      },
      get providers() {
        return [...providers, ...providersOf(definition, routes)];
      },
      exports: [getUpstreamToken(definition.name)],
    };
  }
}

/** First segments of the paths that controllers answer. */
function firstSegments(controllers: readonly Type[]): readonly string[] {
  const pathsOf = (target: object): string[] =>
    [(Reflect.getMetadata(PATH_METADATA, target) as string | string[] | undefined) ?? []].flat();
  const handlersOf = ({ prototype }: Type): object[] =>
    Object.values(Object.getOwnPropertyDescriptors(prototype as object)).flatMap(({ value }: PropertyDescriptor) =>
      typeof value === 'function' ? [value as object] : [],
    );
  const paths = controllers.flatMap((one) => {
    const below = handlersOf(one).flatMap(pathsOf);
    return pathsOf(one).flatMap((path) => below.map((end) => `${path}/${end}`));
  });
  const segments = paths.map(
    (path) =>
      path
        .split('/')
        .find((segment) => segment !== '')
        ?.toLowerCase() ?? '',
  );
  return [...new Set(segments)].filter((segment) => /^[\w.~-]+$/.test(segment));
}

function providersOf(definition: UpstreamDefinition, routes: readonly string[]): Provider[] {
  const upstream = Symbol(`larder.upstream.${definition.name}`);
  const isOn = isEnabled(definition);
  return [
    {
      provide: upstream,
      inject: [UPSTREAM_PARTS, Upstreams],
      useFactory: (parts: UpstreamParts, upstreams: Upstreams) =>
        isOn ? upstreams.add(new Upstream(definition, parts)) : new SwitchedOff(definition, routes, parts),
    },
    {
      provide: getUpstreamToken(definition.name),
      inject: [upstream],
      useFactory: ({ client }: Pick<Upstream, 'client'>) => client,
    },
  ];
}

/** Injects the `UpstreamClient` of an upstream: `@InjectUpstream('acme') client: UpstreamClient`. */
export function InjectUpstream(upstream: string | { readonly name: string }): ParameterDecorator & PropertyDecorator {
  return Inject(getUpstreamToken(typeof upstream === 'string' ? upstream : upstream.name));
}

/** The injection token of an upstream's client, for factories and tests. */
export function getUpstreamToken(name: string): string {
  return `larder.upstream-client.${name}`;
}
