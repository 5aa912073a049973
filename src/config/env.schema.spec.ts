import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defaultOf, environmentShape, readEnvironment } from './env.schema';

const names = Object.keys(environmentShape) as (keyof typeof environmentShape)[];

describe('the environment', () => {
  it('needs nothing', () => {
    expect(readEnvironment({})).toMatchObject({ PORT: 8081, CACHE_TTL_SECONDS: 3_600, REDIS_KEY_PREFIX: 'larder' });
  });

  it('takes an empty value for none', () => {
    expect(readEnvironment({ REDIS_ENDPOINT_URI: '', PORT: '' })).toMatchObject({ PORT: 8081 });
  });

  it.each([
    ['PORT', 'abc', 'must be a number'],
    ['PORT', '70000', 'must be at most 65535'],
    ['CACHE_TTL_SECONDS', '0', 'must be at least 1'],
    ['CACHE_TTL_SECONDS', '1.5', 'must be a whole number'],
    ['GITHUB_API_URL', 'ftp://x', 'must be an http:// or https:// URL'],
    ['GITHUB_API_URL', 'https://user:pw@x', 'must be an http:// or https:// URL'],
    ['REDIS_ENDPOINT_URI', 'http://x', 'unknown scheme'],
    ['REDIS_KEY_PREFIX', 'a b', 'must be 1 to 64 letters'],
    ['REDIS_TLS_CA_FILE', '/nowhere.pem', 'does not exist'],
    ['NODE_ENV', 'prod', 'must be development, production or test'],
    ['SWAGGER_ENABLED', 'maybe', 'must be true or false'],
  ])('%s=%s stops the start: %s', (name, value, problem) => {
    const read = () => readEnvironment({ [name]: value });
    expect(read).toThrow(new RegExp(`^The configuration is wrong:\\n  ${name} .*${problem}.*Example: ${name}=`, 's'));
  });

  it('tells of all that is wrong at once', () => {
    expect(() => readEnvironment({ PORT: 'x', L1_MAX_BYTES: 'y' })).toThrow(/PORT.*\n.*L1_MAX_BYTES/);
  });

  it.each([
    ['ADMIN_TOKEN', 'hunter2'],
    ['REDIS_ENDPOINT_URI', 'redis://user:hunter2@bad host'],
  ])('never repeats the secret of a wrong %s', (name, value) => {
    expect(() => readEnvironment({ [name]: value })).toThrow(new RegExp(`^(?!.*hunter2).*${name}`, 's'));
  });

  it('is told whole, with its defaults, in .env.sample', () => {
    const sample = readFileSync(join(__dirname, '../../.env.sample'), 'utf8');
    const told = [...sample.matchAll(/^([A-Z0-9_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]);
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(names.map((name) => [name, defaultOf(name)])));
  });
});
