import { useExpress } from '../support/route-app';

useExpress();

/* What holds of routes on Fastify holds on Express. */
const SPECS = [
  'route-callers',
  'route-error-classes',
  'route-errors',
  'route-fields',
  'route-given-keys',
  'route-interceptors',
  'route-keys',
  'route-large-bodies',
  'route-leaders',
  'route-loads',
  'route-refusals',
  'route-values',
  'route-wrapped-values',
  'route-wrappers',
];

describe.each(SPECS)('on Express: %s', (name) => {
  // eslint-disable-next-line @typescript-eslint/no-require-imports
  require(`./${name}.spec`);
});
