import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import '../app.module'; // declares the settings of the upstreams that it mounts
import { defaultOf, readEnvironment, settingsShape } from './env.schema';

const folder = mkdtempSync(join(tmpdir(), 'larder-environment-'));
const certificate = join(folder, 'certificate.pem');
writeFileSync(certificate, rootCertificates[0]!);
afterAll(() => rmSync(folder, { recursive: true }));

const names = Object.keys(settingsShape());

describe('the environment', () => {
  it('needs nothing', () => {
    expect(readEnvironment({})).toMatchObject({ PORT: 8081, CACHE_TTL_SECONDS: 3_600, REDIS_KEY_PREFIX: 'larder' });
  });

  it('takes an empty value for none', () => {
    expect(readEnvironment({ REDIS_ENDPOINT_URI: '', PORT: '' })).toMatchObject({ PORT: 8081 });
    expect(readEnvironment({ REDIS_ENDPOINT_URI: ' ', PORT: ' ' })).toMatchObject({ PORT: 8081 });
  });

  it.each([
    ['PORT', 'abc', 'must be a number'],
    ['PORT', '70000', 'must be at most 65535'],
    ['CACHE_TTL_SECONDS', '0', 'must be at least 1'],
    ['CACHE_TTL_SECONDS', '1.5', 'must be a whole number'],
    ['ADMIN_TOKENS', 'only-a-token', 'must be name:token'],
    ['ADMIN_TOKENS', 'deploy:short', 'at least 8 characters'],
    ['ADMIN_TOKENS', 'a:12345678,a:87654321', 'a different name'],
    ['GITHUB_API_URL', 'ftp://x', 'must be an http:// or https:// URL'],
    ['GITHUB_API_URL', 'https://user:pw@x', 'must be an http:// or https:// URL'],
    ['REDIS_ENDPOINT_URI', 'http://x', 'unknown scheme'],
    ['CACHE_STORE', 'disk', 'must be redis, memory or cache-manager-redis-yet'],
    ['REDIS_KEY_PREFIX', 'a b', 'must be 1 to 64 letters'],
    ['REDIS_TLS_CA_FILE', '/nowhere.pem', 'does not exist'],
    ['REDIS_TLS_CA_FILE', __filename, 'holds no certificate in PEM'],
    ['GITHUB_RULES_FILE', __dirname, 'is a directory'],
    ['GITHUB_ROUTE_PREFIX', '/api/', 'must be a path such as /github'],
    ['GITHUB_ROUTE_PREFIX', '/docs', 'is a path of the service itself'],
    ['GITHUB_ROUTE_PREFIX', '/Docs-JSON', 'is a path of the service itself'],
    ['GITHUB_ROUTE_PREFIX', '/repos/github', 'is a path of the service itself'],
    [
      'GITHUB_FORWARD_HEADERS',
      'X-A, Transfer-Encoding,Host',
      'names Transfer-Encoding, Host, which the service decides',
    ],
    ['CORS_ALLOWED_ORIGINS', 'https://a.example, app.example', 'origins such as .*: not app.example'],
    ['CORS_ALLOWED_ORIGINS', 'https://a.example/path', 'not https://a.example/path'],
    ['CORS_ALLOWED_ORIGINS', 'null', 'not null'],
    ['CORS_ALLOWED_ORIGINS', '*,https://a.example', 'not \\*'],
    ['NODE_ENV', 'prod', 'must be development, production or test'],
    ['SWAGGER_ENABLED', 'maybe', 'must be true or false'],
    ['GITHUB_UPLOADS_URL', 'https://user:word@up.example', 'without query, fragment or credentials'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'Bearer abc', 'must be name=value'],
    ['OTEL_EXPORTER_OTLP_HEADERS', 'a=b,c', 'must be name=value'],
    ['OTEL_RESOURCE_ATTRIBUTES', 'production', 'must be name=value'],
  ])('%s=%s stops the start: %s', (name, value, problem) => {
    const read = () => readEnvironment({ [name]: value });
    expect(read).toThrow(new RegExp(`^The configuration is wrong:\\n  ${name} .*${problem}.*Example: ${name}=`, 's'));
  });

  it.each([
    [
      { CACHE_STORE: 'cache-manager-redis-yet' },
      'REDIS_ENDPOINT_URI is missing: CACHE_STORE=cache-manager-redis-yet needs REDIS_ENDPOINT_URI as well',
    ],
    [{ GITHUB_SHARE_TOKEN: 'true' }, 'GITHUB_TOKEN is missing: GITHUB_SHARE_TOKEN needs GITHUB_TOKEN as well'],
    [
      { REDIS_TLS_CERT_FILE: certificate },
      'REDIS_TLS_KEY_FILE is missing: REDIS_TLS_CERT_FILE needs REDIS_TLS_KEY_FILE as well',
    ],
  ])('of which one needs another stops the start without it: %j', (given, problem) => {
    expect(() => readEnvironment(given)).toThrow(problem);
  });

  it('reports all faults at once', () => {
    expect(() => readEnvironment({ PORT: 'x', L1_MAX_BYTES: 'y' })).toThrow(/PORT.*\n.*L1_MAX_BYTES/);
  });

  it('shows an example for each variable that the same start would accept', () => {
    const faultOf = (name: string, value: string): string => {
      try {
        readEnvironment({ [name]: value });
        return '';
      } catch (error) {
        return (error as Error).message.split('\n').find((line) => line.startsWith(`  ${name} `)) ?? '';
      }
    };
    const shown = names.flatMap((name) => {
      const example =
        /Example: [A-Z0-9_]+=(.*)$/.exec(faultOf(name, '-1') || faultOf(name, 'no: such, thing'))?.[1] ?? '';
      return /^\/etc\/|^the |:TOKEN/.test(example) ? [] : [[name, example] as const];
    });
    expect(shown.filter(([, example]) => example !== '').length).toBeGreaterThan(60);
    expect(shown.filter(([name, example]) => faultOf(name, example) !== '')).toEqual([]);
  });

  it.each([
    ['ADMIN_TOKEN', 'hunter2'],
    ['REDIS_ENDPOINT_URI', 'redis://user:hunter2@bad host'],
  ])('never repeats the secret of a wrong %s', (name, value) => {
    expect(() => readEnvironment({ [name]: value })).toThrow(new RegExp(`^(?!.*hunter2).*${name}`, 's'));
  });

  it('is complete in .env.sample, each variable once with its default', () => {
    const sample = readFileSync(join(__dirname, '../../.env.sample'), 'utf8');
    const told = [...sample.matchAll(/^([A-Z0-9_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]);
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(names.map((name) => [name, defaultOf(name)])));
    expect(told).toHaveLength(names.length);
  });
});
