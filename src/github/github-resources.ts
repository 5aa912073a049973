/*
 * Which of GitHub's rate limits a request counts against, as far as its path shows (https://docs.github.com/en/rest/rate-limit). Where GitHub's
 * answers say otherwise, that counts.
 */

interface Resource {
  readonly name: string;
  readonly path: RegExp;
  /** Whether it counts writes alone. */
  readonly isOfWrites?: boolean;
}

const REPOSITORY = '^/repos/[^/]+/[^/]+';
const OWNER = '^/(?:orgs|enterprises)/[^/]+';

/** The first that matches counts. */
const RESOURCES: readonly Resource[] = [
  { name: 'code_search', path: /^\/search\/code$/ },
  { name: 'search', path: /^\/search\// },
  { name: 'graphql', path: /^\/graphql$/ },
  { name: 'integration_manifest', path: /^\/app-manifests\/[^/]+\/conversions$/ },
  { name: 'audit_log_streaming', path: new RegExp(`${OWNER}/audit-log/stream`) },
  { name: 'audit_log', path: new RegExp(`${OWNER}/audit-log$`) },
  { name: 'dependency_snapshots', path: new RegExp(`${REPOSITORY}/dependency-graph/snapshots$`) },
  { name: 'dependency_sbom', path: new RegExp(`${REPOSITORY}/dependency-graph/sbom$`) },
  { name: 'code_scanning_upload', path: new RegExp(`${REPOSITORY}/code-scanning/sarifs$`), isOfWrites: true },
  {
    name: 'code_scanning_autofix',
    path: new RegExp(`${REPOSITORY}/code-scanning/alerts/[^/]+/autofix$`),
    isOfWrites: true,
  },
  {
    name: 'actions_runner_registration',
    path: /^\/(?:repos\/[^/]+\/[^/]+|(?:orgs|enterprises)\/[^/]+)\/actions\/runners\/registration-token$/,
  },
  { name: 'scim', path: /^\/scim\// },
  { name: 'source_import', path: new RegExp(`${REPOSITORY}/import(?:/|$)`) },
];

/** Undefined for requests that do not count. */
export function resourceOf(path: string, method: string): string | undefined {
  const lower = path.toLowerCase();
  if (lower === '/rate_limit') return undefined;
  const isWrite = method !== 'GET' && method !== 'HEAD';
  return RESOURCES.find((one) => one.path.test(lower) && (isWrite || one.isOfWrites !== true))?.name ?? 'core';
}

/** How many names follow the first word of a path. */
const NAMES_AFTER: ReadonlyMap<string, number> = new Map([
  ...([['repos', 2]] as const),
  ...(['orgs', 'users', 'enterprises', 'gists', 'networks', 'app-manifests'] as const).map(
    (word) => [word, 1] as const,
  ),
]);

/** The path without names, numbers and hashes: requests alike in it count against the same. Uploads are at the paths of the API, elsewhere. */
export function shapeOf(path: string): string {
  const [first = '', ...rest] = path
    .toLowerCase()
    .replace(/^\/api\/uploads(?=\/)/, '')
    .split('/')
    .slice(1);
  const names = NAMES_AFTER.get(first) ?? 0;
  const shape = rest.map((segment, at) => (at < names || /^(?:\d+|[\da-f]{40})$/.test(segment) ? '*' : segment));
  return ['', first, ...shape].join('/');
}
