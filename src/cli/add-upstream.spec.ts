import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { defineUpstream, settingNamesOf } from '../upstream';
import { addUpstream } from './add-upstream';

const ROOT = join(__dirname, '../..');
const LARDER = { dependencies: { larder: '0.1.0' } };

describe('larder add-upstream', () => {
  let folder: string;
  const projectOf = (manifest: object): void => writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  const read = (file: string): string => readFileSync(join(folder, 'src', file), 'utf8');

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'larder-add-upstream-'));
    mkdirSync(join(folder, 'src/upstream'), { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('writes three files of under 200 lines, and says which line to add', () => {
    projectOf(LARDER);
    const said = addUpstream(['stack-overflow', '--base-url', 'https://api.example'], join(folder, 'src'));
    const files = readdirSync(join(folder, 'src/stack-overflow'));
    expect(files).toEqual(['stack-overflow.definition.ts', 'stack-overflow.module.ts', 'stack-overflow.spec.ts']);
    expect(
      files
        .map((file) => read(`stack-overflow/${file}`))
        .join('')
        .split('\n').length,
    ).toBeLessThan(200);
    expect(read('stack-overflow/stack-overflow.definition.ts')).toContain("baseUrl: 'https://api.example',");
    expect(said).toContain('wrote stack-overflow/stack-overflow.module.ts\n');
    expect(said).toContain("import { StackOverflowModule } from './stack-overflow/stack-overflow.module';");
    expect(said).toContain('Run its spec: npx jest src/stack-overflow');
    expect(said).toContain('have variables: add them to .env.\n');
  });

  it('writes a service and a controller, too, for a route that is derived from a resource', () => {
    projectOf(LARDER);
    const said = addUpstream(['acme', '--projection', '/shops/:shop/items/:id'], folder);
    expect(readdirSync(join(folder, 'src/acme')).sort()).toEqual(
      ['controller', 'definition', 'module', 'service', 'spec'].map((kind) => `acme.${kind}.ts`),
    );
    expect(read('acme/acme.controller.ts')).toContain("@Get(':shop/:id')");
    expect(read('acme/acme.controller.ts')).toContain("@ProjectionOf(acmeApi, '/shops/:shop/items/:id'");
    expect(said).toContain('Say what /acme-summary answers in src/acme/acme.service.ts');
  });

  it('writes files in the form that Prettier gives them', () => {
    projectOf(LARDER);
    for (const name of ['a', 'stack-overflow'])
      for (const more of [[], ['--projection', '/items/:id']]) addUpstream([`${name}${more.length}`, ...more], folder);
    const files = readdirSync(join(folder, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts'))
      .map((file) => join(folder, 'src', file));
    expect(files).toHaveLength(16);
    const config = ['--config', join(ROOT, '.prettierrc.json')];
    const prettier = join(ROOT, 'node_modules/prettier/bin/prettier.cjs');
    const { stdout } = spawnSync(process.execPath, [prettier, '--list-different', ...config, ...files]);
    expect(stdout.toString()).toBe('');
  });

  it.each([
    ['/stations/:id', '/stations/7', '"stations" and "stations:7"'],
    ['/shops/:shop/items/:id', '/shops/7/items/8', '"shops" and "shops:7"'],
    ['/v2/stations/:id', '/v2/stations/7', '"stations" and "stations:7"'],
    ['/:name', '/7', '"7"'],
    ['/status', '/status', '"status"'],
    [undefined, '/items/7', '"items" and "items:7"'],
  ])('has an example of %s in the definition and the spec, with the tags that it has', (path, example, tags) => {
    projectOf(LARDER);
    addUpstream(['acme', ...(path === undefined ? [] : ['--projection', path])], folder);
    const [definition, spec] = [read('acme/acme.definition.ts'), read('acme/acme.spec.ts')];
    expect(definition).toContain(`path: ${example} has ${tags}.\n`);
    expect(spec).toContain(`AcmeModule, { path: '${example}' });`);
    const expected = tags.replaceAll('"', "'").replace(' and ', ', ');
    expect(spec).toContain(`acmeApi.tags?.('${example}')).toEqual([${expected}]);`);
    const [, tagsOf = ''] = /tags: (\(path\) => \{[^]*?\n {2}\}),/.exec(definition) ?? [];
    expect(String(runInNewContext(`(${tagsOf})('${example}')`))).toBe(tags.replaceAll('"', '').replace(' and ', ','));
  });

  it('imports the package in an application, and its neighbours in a checkout of Larder', () => {
    projectOf({ type: 'module', ...LARDER });
    addUpstream(['one'], folder);
    projectOf({ name: 'larder' });
    writeFileSync(join(folder, 'src/upstream/index.ts'), '');
    addUpstream(['other'], folder);
    for (const file of ['definition', 'module', 'spec']) {
      const changed = read(`one/one.${file}.ts`)
        .replaceAll(/'larder\/(upstream|testing)'/g, (_, entry) =>
          entry === 'testing' ? "'../../testing'" : "'../upstream'",
        )
        .replaceAll(/'(\.\/[\w.]+)\.js'/g, "'$1'")
        .replaceAll(/one(?=[A./'])|\bone\b/g, 'other')
        .replaceAll('One', 'Other')
        .replaceAll('ONE', 'OTHER');
      expect(read(`other/other.${file}.ts`)).toBe(changed);
    }
  });

  it('mounts it in a checkout of Larder, with its settings', () => {
    projectOf({ name: 'larder' });
    writeFileSync(join(folder, 'src/upstream/index.ts'), '');
    for (const file of ['src/app.module.ts', '.env.sample']) copyFileSync(join(ROOT, file), join(folder, file));
    const said = addUpstream(['acme-shop', '--base-url', 'https://shop.example'], folder);
    expect(said).toMatch(/added it to src\/app\.module\.ts\nadded it to \.env\.sample\n/);
    const module = readFileSync(join(folder, 'src/app.module.ts'), 'utf8');
    expect(module).toContain("import { AcmeShopModule } from './acme-shop/acme-shop.module';\n");
    expect(module).toContain('    StackExchangeModule,\n    AcmeShopModule,\n    AdminModule,\n');
    const sample = readFileSync(join(folder, '.env.sample'), 'utf8').split('## AcmeShop\n')[1]?.split('\n##')[0] ?? '';
    const names = [...sample.matchAll(/^(\w+)=/gm)].map(([, name]) => name);
    const definition = defineUpstream({ name: 'acme-shop', baseUrl: 'https://shop.example' });
    expect(names.toSorted()).toEqual(settingNamesOf(definition).toSorted());
    expect(sample).toContain('\nACME_SHOP_API_URL=https://shop.example\n');
  });

  it('names the runner of a project with Vitest', () => {
    projectOf({ ...LARDER, devDependencies: { vitest: '4.1.2' } });
    expect(addUpstream(['acme'], folder)).toContain('npx vitest run src/acme');
  });

  it.each([
    [[], /^Name one API, in lower case\. Example: larder add-upstream npm /],
    [['a', 'b'], /^Name one API/],
    [['../acme'], /^"\.\.\/acme" cannot name an upstream: it takes 1 to 32 lower-case letters/],
    [['Acme'], /^"Acme" cannot name an upstream/],
    [['acme-'], /^"acme-" cannot name an upstream/],
    [['a'.repeat(33)], /cannot name an upstream/],
    [['there'], /^src\/there is there already, and nothing was written\. Take another name, or remove it\.$/],
    [['cache'], /^"cache" is a name of Larder's own\. Take another one, such as cache-api\.$/],
    [['docs'], /^"docs" is a name of Larder's own/],
    [['acme', '--base-url', 'ftp://x'], /^--base-url must be an http:\/\/ or https:\/\/ URL/],
    [['acme', '--base-url', "https://x/');evil('"], /^--base-url must be/],
    [['acme', '--bas-url', 'x'], /Unknown option '--bas-url'/],
    [['acme', '--projection', 'items'], /^--projection must be the path of a resource/],
    [['acme', '--projection', "/items/:id');evil('"], /^--projection must be/],
  ])('refuses %j in a sentence, and writes nothing', (args, sentence) => {
    projectOf(LARDER);
    mkdirSync(join(folder, 'src/there'));
    expect(() => addUpstream(args, folder)).toThrow(sentence);
    expect(readdirSync(join(folder, 'src'))).toEqual(['there', 'upstream']);
    expect(readdirSync(join(folder, 'src/there'))).toEqual([]);
  });

  it('refuses a project without the package', () => {
    projectOf({ name: 'shop' });
    expect(() => addUpstream(['acme'], folder)).toThrow(
      /package\.json does not name larder as a dependency\. Install it/,
    );
  });
});
