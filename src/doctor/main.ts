import 'reflect-metadata';
import { parseArgs } from 'node:util';
import { examine } from './doctor';
import { reportOf } from './report';

/**
 * `npm run doctor`: reports problems of the settings and of the services that they name. Exits with 1 if there is a problem. `-- --json`
 * prints the findings for a program.
 */
async function main(): Promise<void> {
  const { values } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
  const findings = await examine(() => import('../app.module.js'));
  const report = values.json
    ? `${JSON.stringify(findings, null, 2)}\n`
    : reportOf(findings, process.stdout.isTTY && process.stdout.hasColors());
  process.stdout.write(report, () => process.exit(findings.some(({ level }) => level === 'problem') ? 1 : 0));
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
