import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { GithubSimulator } from '../../simulator';
import { request } from '../support/raw-http';
import { ServiceProcess } from '../support/service-process';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';

interface Operation {
  readonly operationId: string;
  readonly responses: Readonly<Record<string, { readonly content?: object }>>;
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
}

describe('the OpenAPI document', () => {
  let github: GithubSimulator;
  let text: string;
  let document: Document;

  beforeAll(async () => {
    github = await GithubSimulator.start({ latencyMs: 0 });
    const service = await ServiceProcess.start({
      env: {
        GITHUB_API_URL: github.url,
        GITHUB_WEBHOOK_SECRET: 'test-webhook-secret',
        ADMIN_TOKEN: 'test-admin-token',
      },
    });
    text = (await request(`${service.url}/docs-json`)).body.toString();
    document = JSON.parse(text) as Document;
    await service.stop();
  });
  afterAll(() => github.stop());

  const operations = () =>
    Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
    );

  it('passes the recommended rules of a linter without an error or a warning', async () => {
    const folder = makeTempFolder('openapi');
    const file = join(folder, 'openapi.json');
    writeFileSync(file, text);
    const { stdout } = await promisify(execFile)(process.execPath, [
      join(__dirname, '../support/lint-openapi.mjs'),
      file,
    ]);
    removeTempFolder(folder);
    expect(JSON.parse(stdout)).toEqual([]);
  });

  it('has an id of its own for every operation', () => {
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(ids.length).toBeGreaterThan(25);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^\w+$/);
  });

  it('has an example of what every operation answers', () => {
    const { schemas } = document.components;
    /** With the schemas that it names. */
    const inFull = (value: unknown): string =>
      JSON.stringify(value).replace(/"#\/components\/schemas\/(\w+)"/g, (_all, name: string) => inFull(schemas[name]));
    const hasExample = (media: unknown): boolean => /"examples?":/.test(inFull(media));
    const without = operations().filter(({ operation: { responses } }) => {
      const answers = Object.entries(responses).filter(([status]) => /^2|default/.test(status));
      return !answers.some(([, { content = {} }]) => Object.values(content).some(hasExample));
    });
    expect(without.map(({ name }) => name)).toEqual([]);
  });
});
