import { parseArgs } from 'node:util';
import { examine } from './doctor';
import { reportOf } from './report';

/**
 * Reports problems of the settings and of the services that they name. Ends the process, with 1 if there is a problem. `--json` prints the
 * findings for a program.
 */
export async function runDoctor(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { json: { type: 'boolean', default: false } } });
  const findings = await examine(() => import('../app.module.js'));
  const report = values.json
    ? `${JSON.stringify(findings, null, 2)}\n`
    : reportOf(findings, process.stdout.isTTY && process.stdout.hasColors());
  process.stdout.write(report, () => process.exit(findings.some(({ level }) => level === 'problem') ? 1 : 0));
}
