import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { getExecutable } from '../support/executables';

const run = promisify(execFile);
const ROOT = join(__dirname, '../..');
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const rules = read('ops/alerts/larder.rules.yml');
const alerts = [...rules.matchAll(/^ {6}- alert: (\w+)$/gm)].map(([, name]) => name!);
const NAMES = /\blarder_[a-z0-9_]+/g;
const metricsIn = (text: string): Set<string> =>
  new Set([...text.matchAll(NAMES)].map(([name]) => name.replace(/_(?:bucket|sum|count)$/, '')));

describe('what operators load into Prometheus and Grafana', () => {
  it('promtool accepts the alert rules, and each fires when its test says so', async () => {
    const promtool = getExecutable('promtool');
    const checked = await run(promtool, ['check', 'rules', 'ops/alerts/larder.rules.yml'], { cwd: ROOT });
    expect(checked.stdout).toContain('SUCCESS');
    const tested = await run(promtool, ['test', 'rules', 'ops/alerts/larder.test.yml'], { cwd: ROOT });
    expect(tested.stdout).toContain('SUCCESS');
  });

  it('every alert has a test and a section of the runbook, which its annotation names', () => {
    expect(alerts.length).toBeGreaterThan(5);
    const tests = read('ops/alerts/larder.test.yml');
    const runbook = read('docs/guides/runbook.md');
    for (const alert of alerts) {
      expect(tests).toContain(`alertname: ${alert}`);
      expect(runbook).toContain(`\n## ${alert}\n`);
      expect(rules).toContain(`runbook_url: docs/guides/runbook.md#${alert.toLowerCase()}`);
    }
  });

  it.each(['ops/alerts/larder.rules.yml', 'ops/grafana/larder.json', 'docs/guides/runbook.md'])(
    '%s names only metrics that the reference documents',
    (file) => {
      const documented = metricsIn(
        read('docs/reference/metrics.md').replace(/`_([a-z_]+)`/g, '`larder_rate_limit_$1`'),
      );
      const used = [...metricsIn(read(file))];
      expect(used).not.toHaveLength(0);
      expect(used.filter((name) => !documented.has(name))).toEqual([]);
    },
  );
});
