import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(__dirname, '../..');
const WORKFLOWS = join(ROOT, '.github/workflows');

describe('what a build takes from elsewhere', () => {
  it('is an action by the digest of its commit, with the version beside it', () => {
    const used = readdirSync(WORKFLOWS).flatMap((file) =>
      [...readFileSync(join(WORKFLOWS, file), 'utf8').matchAll(/\buses: (.*)/g)].map(([, action]) => action),
    );
    expect(used.length).toBeGreaterThan(5);
    for (const action of used) expect(action).toMatch(/^[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it('is a base image by its digest', () => {
    const [, image] = /^ARG NODE_IMAGE=(.*)$/m.exec(readFileSync(join(ROOT, 'Dockerfile'), 'utf8')) ?? [];
    expect(image).toMatch(/^node:[\w.-]+@sha256:[0-9a-f]{64}$/);
  });
});
