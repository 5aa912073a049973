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

  it('never repeats a secret', () => {
    expect(() => readEnvironment({ ADMIN_TOKEN: 'hunter2' })).toThrow(expect.not.stringContaining('hunter2'));
    const wrong = 'redis://user:hunter2@bad host';
    try {
      readEnvironment({ REDIS_ENDPOINT_URI: wrong });
      throw new Error('it was taken');
    } catch (error) {
      expect(String(error)).toContain('REDIS_ENDPOINT_URI');
      expect(String(error)).not.toContain('hunter2');
    }
  });

  it('is told whole, with its defaults, in .env.sample', () => {
    const sample = readFileSync(join(__dirname, '../../.env.sample'), 'utf8');
    const told = [...sample.matchAll(/^([A-Z0-9_]+)=(.*)$/gm)].map(([, name, value]) => [name, value]);
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(names.map((name) => [name, defaultOf(name)])));
  });
});
