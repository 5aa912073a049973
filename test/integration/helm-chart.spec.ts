import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { load, loadAll } from 'js-yaml';
import '../../src/app.module'; // declares the settings of the upstreams that it mounts
import { settingsShape } from '../../src/config/env.schema';
import { installHelm } from '../support/install-helm';

type Values = Record<string, unknown>;
// What a manifest holds is what the tests are about.
// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Manifest = Record<string, any>;

const CHART = join(__dirname, '../../ops/helm/larder');
const read = (path: string): string => readFileSync(join(CHART, path), 'utf8');
const defaults = load(read('values.yaml')) as Values;
const chart = load(read('Chart.yaml')) as Values;

/** Helm warns of a configuration of Kubernetes that others may read. */
const OPTIONS = { encoding: 'utf8', env: { ...process.env, KUBECONFIG: '/nowhere' } } as const;
let helm: string;
beforeAll(async () => {
  helm = await installHelm();
}, 180_000);

const template = (changed: Values) =>
  spawnSync(helm, ['template', 'cache', CHART, '-f', '-'], { ...OPTIONS, input: JSON.stringify(changed) });
const render = (changed: Values = {}): Manifest[] => {
  const { stdout, stderr } = template(changed);
  expect(stderr).toBe('');
  return loadAll(stdout).filter((one) => one !== null) as Manifest[];
};
const ofKind = (manifests: readonly Manifest[], kind: string): Manifest => {
  const found = manifests.filter((one) => one['kind'] === kind);
  expect([kind, found.length]).toEqual([kind, 1]);
  return found[0]!;
};
const containerOf = (manifests: readonly Manifest[]): Manifest =>
  ofKind(manifests, 'Deployment')['spec'].template.spec.containers[0] as Manifest;

describe('the Helm chart', () => {
  it('is of the version of the package, and Helm finds nothing wrong with it', () => {
    const { version } = JSON.parse(read('../../../package.json')) as { version: string };
    expect(chart).toMatchObject({ apiVersion: 'v2', name: 'larder', version, appVersion: version });
    const { stdout, status } = spawnSync(helm, ['lint', '--strict', CHART], OPTIONS);
    expect([stdout, status]).toEqual([expect.stringContaining('0 chart(s) failed'), 0]);
  });

  it.each([
    ['a secret among the settings', { settings: { GITHUB_TOKEN: 'ghp_x' } }],
    ['a setting that is no text', { settings: { PORT: 8081 } }],
    ['a value that there is not', { replicaCount: 3 }],
    ['no Secret', { existingSecret: '' }],
  ])('refuses %s', (_what, changed) =>
    expect(template(changed).stderr).toMatch(/values don't meet the specifications/),
  );

  it('makes a Deployment that no user of the image can harm, with probes of paths that there are', () => {
    const manifests = render();
    const { spec } = ofKind(manifests, 'Deployment')['spec'].template;
    const container = containerOf(manifests);
    expect(spec).toMatchObject({ automountServiceAccountToken: false, securityContext: { runAsNonRoot: true } });
    expect(container['securityContext']).toEqual({
      ...{ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    });
    expect(container['image']).toBe('larder:0.1.0');
    const paths = ['startupProbe', 'livenessProbe', 'readinessProbe'].map(
      (probe) => container[probe].httpGet as Manifest,
    );
    expect(paths).toEqual([
      { path: '/health/live', port: 'http' },
      { path: '/health/live', port: 'http' },
      { path: '/health/ready', port: 'http' },
    ]);
    expect(container['resources']).toEqual(defaults['resources']);
  });

  it('gives the container settings that there are, as texts, and secrets from the existing Secret', () => {
    const container = containerOf(render({ settings: { CACHE_TTL_SECONDS: '60', PUBLIC_URL: 'https://x "y"' } }));
    const env = container['env'] as { name: string; value: unknown }[];
    expect(env.filter(({ name }) => !(name in settingsShape()))).toEqual([]);
    expect(env.filter(({ value }) => typeof value !== 'string')).toEqual([]);
    expect(env).toEqual(
      expect.arrayContaining([
        { name: 'CACHE_TTL_SECONDS', value: '60' },
        { name: 'PUBLIC_URL', value: 'https://x "y"' },
      ]),
    );
    expect(container['envFrom']).toEqual([{ secretRef: { name: 'larder' } }]);
  });

  it('selects by the labels that the pods have, in every manifest', () => {
    const manifests = render();
    const { labels } = ofKind(manifests, 'Deployment')['spec'].template.metadata;
    expect(ofKind(manifests, 'Service')['spec'].selector).toEqual(labels);
    expect(ofKind(manifests, 'Deployment')['spec'].selector.matchLabels).toEqual(labels);
    expect(ofKind(manifests, 'PodDisruptionBudget')['spec'].selector.matchLabels).toEqual(labels);
    expect(ofKind(manifests, 'NetworkPolicy')['spec'].podSelector.matchLabels).toEqual(labels);
    expect(ofKind(manifests, 'HorizontalPodAutoscaler')['spec'].scaleTargetRef.name).toBe('cache');
    for (const { metadata } of manifests) expect(metadata).toMatchObject({ name: 'cache', labels });
  });

  it('leaves the number of pods to the autoscaler where there is one, and scales by CPU', () => {
    const scaled = render();
    expect(ofKind(scaled, 'Deployment')['spec']).not.toHaveProperty('replicas');
    expect(ofKind(scaled, 'HorizontalPodAutoscaler')['spec'].metrics).toEqual([
      { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 70 } } },
    ]);
    const byRequests = ofKind(render({ autoscaling: { inFlightPerPod: 32 } }), 'HorizontalPodAutoscaler')['spec'];
    expect(byRequests.metrics).toContainEqual({
      ...{ type: 'Pods', pods: { metric: { name: 'larder_upstream_requests_in_flight' }, target: expect.anything() } },
    });
    expect(byRequests.metrics[1].pods.target).toEqual({ type: 'AverageValue', averageValue: '32' });
    const fixed = render({ autoscaling: { enabled: false }, replicas: 3 });
    expect(ofKind(fixed, 'Deployment')['spec'].replicas).toBe(3);
    expect(fixed.map(({ kind }) => kind as string)).not.toContain('HorizontalPodAutoscaler');
  });

  it('speaks https with a Secret of a certificate, its probes too', () => {
    const manifests = render({ tls: { secretName: 'larder-tls' } });
    const container = containerOf(manifests);
    expect(container['env']).toEqual(
      expect.arrayContaining([{ name: 'TLS_CERT_FILE', value: '/etc/larder/tls/tls.crt' }]),
    );
    expect(container['volumeMounts']).toContainEqual({ name: 'tls', mountPath: '/etc/larder/tls', readOnly: true });
    expect(container['readinessProbe'].httpGet.scheme).toBe('HTTPS');
    expect(ofKind(manifests, 'Deployment')['spec'].template.spec.volumes).toContainEqual(
      expect.objectContaining({ secret: { secretName: 'larder-tls', defaultMode: 0o440 } }),
    );
  });

  it('has a port of its own for operators where that is asked for', () => {
    const manifests = render({ adminPort: 9081 });
    const container = containerOf(manifests);
    expect(container['ports']).toContainEqual({ name: 'admin', containerPort: 9081 });
    expect(container['env']).toContainEqual({ name: 'ADMIN_PORT', value: '9081' });
    expect(ofKind(manifests, 'Service')['spec'].ports).toContainEqual({
      ...{ name: 'admin', port: 9081, targetPort: 'admin' },
    });
    expect(ofKind(manifests, 'NetworkPolicy')['spec'].ingress[0].ports).toEqual([{ port: 'http' }, { port: 'admin' }]);
    expect(ofKind(render(), 'Service')['spec'].ports).toHaveLength(1);
  });

  it('lets pods reach DNS, Redis and the API, and nothing else', () => {
    const { spec } = ofKind(render(), 'NetworkPolicy');
    const ports = (spec.egress as { ports: { port: number }[] }[]).flatMap((rule) =>
      rule.ports.map(({ port }) => port),
    );
    expect(ports).toEqual([53, 53, 6379, 443]);
    expect(spec.ingress[0].ports).toEqual([{ port: 'http' }]);
    expect(render({ networkPolicy: { enabled: false } }).map(({ kind }) => kind as string)).not.toContain(
      'NetworkPolicy',
    );
  });
});

describe('the workflows of CI', () => {
  it.each(readdirSync(join(CHART, '../../../.github/workflows')))('%s has no more rights than it says', (file) => {
    const workflow = load(readFileSync(join(CHART, '../../../.github/workflows', file), 'utf8')) as Manifest;
    expect(workflow['permissions']).toEqual({ contents: 'read' });
    const jobs = Object.values(workflow['jobs'] as Record<string, Manifest>);
    for (const job of jobs) {
      expect(job['timeout-minutes']).toBeGreaterThan(0);
      for (const { uses } of job['steps'] as { uses?: string }[])
        if (uses !== undefined) expect(uses).toMatch(/^[\w-]+\/[\w/-]+@(?:v\d+|[\da-f]{40})$/);
    }
  });
});
