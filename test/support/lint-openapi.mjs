/*
 * Lints the OpenAPI document of a file with the recommended rules of Redocly, and prints what it finds as JSON. A process of its own:
 * the linter is an ES module with dependencies that Jest does not transform.
 */
import { readFileSync } from 'node:fs';
import { createConfig, lintFromString } from '@redocly/openapi-core';

const source = readFileSync(process.argv[2] ?? '', 'utf8');
// Off: the shapes of events are named by an extension (`x-event-data`), which the rule does not follow.
const config = await createConfig({ extends: ['recommended'], rules: { 'no-unused-components': 'off' } });
const found = await lintFromString({ source, config });
const problems = found.map(({ severity, ruleId, message, location }) => {
  const [where] = location;
  return `${severity} ${ruleId} at ${where?.pointer ?? ''}: ${message}`;
});
process.stdout.write(JSON.stringify(problems));
