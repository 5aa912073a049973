'use strict';

/** The folders of the service itself; every other one defines an upstream. */
const SERVICE =
  '^src/(admin|cache|cli|config|doctor|health|kernel|live|logging|metrics|redis|server|telemetry|upstream|web|workers)/';

/** The rooms of the cache, lowest first. */
const CACHE_ROOMS = ['model', 'law', 'store', 'engine', 'fast-path', 'values', 'nest'];

/** Who may import whom: the house rules of docs/adr, one named rule each. */
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true, dependencyTypesNot: ['type-only'] } },
    {
      name: 'engine-is-framework-free',
      comment:
        'model, law, engine and the embedded store import kernel, each other, node:*, the LRU and the parser of structured fields only',
      severity: 'error',
      from: {
        path: '^src/cache/(model|law|engine|store/(memory/)?[^/]+$)',
        pathNot: ['[.]spec[.]ts$', 'store[.]factory[.]ts$'],
      },
      to: {
        pathNot: [
          '^src/kernel/',
          '^src/cache/(model|law|engine|store)/',
          '^node_modules/lru-cache/',
          '^node_modules/structured-headers/',
        ],
        dependencyTypesNot: ['core'],
      },
    },
    ...CACHE_ROOMS.slice(0, -1).map((room, at) => ({
      name: `cache-rooms-have-an-order-${room}`,
      comment:
        'a room of the cache imports those before it in CACHE_ROOMS; exchange.ts declares types of several rooms, store.factory.ts opens a store',
      severity: 'error',
      from: {
        path: `^src/cache/${room}/`,
        pathNot: ['[.]spec[.]ts$', 'model/exchange[.]ts$', 'store[.]factory[.]ts$'],
      },
      to: { path: `^src/cache/(${CACHE_ROOMS.slice(at + 1).join('|')})/` },
    })),
    {
      name: 'kernel-imports-nothing',
      comment: 'but for the exception of Nest that an error of the service is',
      severity: 'error',
      from: { path: '^src/kernel/', pathNot: '[.]spec[.]ts$' },
      to: { pathNot: ['^src/kernel/', '^node_modules/@nestjs/common/'], dependencyTypesNot: ['core'] },
    },
    {
      name: 'features-do-not-meet',
      comment: 'an upstream knows the kit, never another upstream nor an operation',
      severity: 'error',
      from: { path: '^src/([^/]+)/', pathNot: [SERVICE, '^src/bootstrap/', '[.]spec[.]ts$'] },
      to: { path: '^src/[^/]+/', pathNot: ['^src/$1/', '^src/(cache|config|kernel|server|upstream)/'] },
    },
    {
      name: 'operations-know-no-feature',
      severity: 'error',
      from: { path: SERVICE, pathNot: '[.]spec[.]ts$' },
      to: { path: '^src/[^/]+/', pathNot: SERVICE },
    },
    {
      name: 'public-door',
      comment: 'outside cache/ and upstream/ import their index.ts only, or that of the law or the fast path',
      severity: 'error',
      from: { path: '^src/([^/]+)', pathNot: '^src/upstream/.*[.]spec[.]ts$' },
      to: {
        path: '^src/(cache|upstream)/',
        pathNot: ['^src/$1(/|$)', '^src/(cache|upstream)/((law|fast-path)/)?(index|kit)[.]ts$'],
      },
    },
    {
      name: 'no-barrel-inside',
      comment: 'inside cache/ and upstream/ the door is not used',
      severity: 'error',
      from: { path: '^src/(cache|upstream)/', pathNot: '[.]spec[.]ts$' },
      to: { path: '^src/$1/(law/|fast-path/)?index[.]ts$' },
    },
    {
      name: 'one-redis',
      comment: 'the redis package only in redis/ and cache/store/redis/',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/redis/', '^src/cache/store/redis/'] },
      to: { path: '^node_modules/(redis|@redis)/' },
    },
    {
      name: 'one-socket',
      comment:
        'the HTTP client is imported by upstream/ only; serialized-head.ts takes the names of statuses, the load replies a response without a connection, tls.ts reads certificates, http2-sessions.ts connects in memory, client-origin.ts compares addresses, http-server.ts and https-redirect.ts make servers, the tracers take the types of requests, and they open nothing',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot: [
          '^src/upstream/',
          '^src/cache/(fast-path/serialized-head|nest/load-reply|nest/express-load-reply)[.]ts$',
          '^src/server/(tls|http-server|https-redirect|http2-sessions|http2-fields|client-origin)[.]ts$',
          '^src/(kernel/tracer|telemetry/otel-tracer)[.]ts$',
          '[.]spec[.]ts$',
        ],
      },
      to: {
        path: ['^node_modules/(axios|@nestjs/axios|undici)/', '^(node:)?(net|tls|http|https)$'],
        dependencyTypesNot: ['type-only', 'type-import'],
      },
    },
    {
      name: 'one-opentelemetry',
      comment:
        'telemetry/ alone knows OpenTelemetry, and is loaded by boot.ts alone; others know the port in kernel/tracer.ts',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(telemetry/|bootstrap/boot[.]ts$)' },
      to: { path: '^(node_modules/@opentelemetry/|src/telemetry/)' },
    },
    {
      name: 'src-never-imports-test',
      comment: 'specs may use the support of tests',
      severity: 'error',
      from: { path: '^src/', pathNot: '[.]spec[.]ts$' },
      to: { path: '^(test|benchmarks)/' },
    },
    {
      name: 'suites-are-for-specs',
      comment: 'testing/ is larder/testing: specs import it, the service does not',
      severity: 'error',
      from: { path: '^src/', pathNot: '[.]spec[.]ts$' },
      to: { path: '^testing/' },
    },
    {
      name: 'package-holds-no-test',
      comment: 'testing/ is part of the package, test/ is not',
      severity: 'error',
      from: { path: '^(testing|simulator)/', pathNot: '[.]spec[.]ts$' },
      to: { path: '^(test|benchmarks)/' },
    },
    {
      name: 'service-knows-no-simulator',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^simulator/' },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    exclude: { path: '^dist/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['require', 'import', 'node', 'default', 'types'],
    },
  },
};
