import { readFileSync } from 'node:fs';
import { join } from 'node:path';

// The settings of the machine are none of the tests': a CI server has GITHUB_API_URL, a developer REDIS_ENDPOINT_URI.
const sample = readFileSync(join(__dirname, '../.env.sample'), 'utf8');
for (const [, name = ''] of sample.matchAll(/^#? ?([A-Z0-9_]+)=/gm))
  if (name !== 'NODE_ENV') Reflect.deleteProperty(process.env, name);
