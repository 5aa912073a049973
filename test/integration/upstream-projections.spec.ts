import { ProjectionOf } from '../../src/upstream';
import { registry, useRegistry } from '../support/registry-upstream';

describe('the projections of an upstream', () => {
  const { under, answer, get, paths, fresh } = useRegistry();
  const JSON_FIELDS = { accept: 'application/json', 'accept-encoding': 'gzip' };

  it('derives a projection from the resource of the gateway, however its path is spelled', async () => {
    const name = fresh();
    const ask = async () => JSON.parse((await get(`/downloads/${name.replace('-', '%2D')}`)).text) as object;
    await get(`/registry/${name}`, JSON_FIELDS);
    expect(await ask()).toEqual({ downloads: 7, cached: true });
    expect(paths()).toEqual([`/api/${name}`]);
    await get(`/admin/cache/entries/registry:-:/${name}`, { authorization: 'Bearer test-admin-token' }, 'DELETE');
    expect(await ask()).toEqual({ downloads: 7, cached: false });
    answer(() => ({ status: 404 }));
    expect(await get(`/downloads/${fresh()}`)).toMatchObject({
      status: 404,
      text: expect.stringContaining('"title":"Package not found","status":404,"code":"package-not-found"') as string,
    });
  });

  it.each([400, 403, 404, 410, 422, 451])("passes the upstream's own %i on", async (status) => {
    const name = fresh();
    answer(() => ({ status }));
    expect((await get(`/downloads/${name}/times`)).status).toBe(status);
    const again = await get(`/downloads/${name}/times`);
    expect([again.status, again.text]).toEqual([status, expect.stringContaining(`/${name} with ${status}`)]);
    expect(under.origin.hits).toHaveLength([404, 410, 451].includes(status) ? 1 : 2);
  });

  it.each([204, 302, 401, 408, 425, 500])('answers 502 where the upstream says %i', async (status) => {
    answer(() => ({ status }));
    expect((await get(`/downloads/${fresh()}/times`)).status).toBe(502);
  });

  it.each<Record<string, string>>([
    { 'accept-language': 'de' },
    { accept: 'application/vnd.registry.weekly+json' },
    { via: '1.1 proxy' },
  ])('derives no projection from what a client asked for with %j', async (fields) => {
    const name = fresh();
    await get(`/registry/${name}`, fields);
    expect((await get(`/downloads/${name}`)).text).toBe('{"downloads":7,"cached":false}');
    expect(under.origin.hits).toHaveLength(2);
  });

  it('keeps projections of one resource apart by their handlers, and by what these take of the query', async () => {
    const name = fresh();
    const ask = async (path: string) => JSON.parse((await get(`/downloads/${name}${path}`)).text) as object;
    for (let times = 0; times < 2; times++) {
      expect(await ask('')).toMatchObject({ downloads: 7 });
      expect(await ask('/times')).toEqual({ times: 7 });
      expect(await ask('/times?factor=2')).toEqual({ times: 14 });
      expect(await ask('/times?factor=3&else=1')).toEqual({ times: 21 });
    }
    expect(await get(`/downloads/${name}/times?else=2`)).toMatchObject({ cache: 'HIT', key: `registry:-:/${name}` });
    expect(under.origin.hits.length).toBeLessThanOrEqual(4);
    const asked = { 'x-asked': 'one' };
    expect((await get(`/downloads/${name}/asked`, asked)).text).toBe('{"asked":"one","times":7}');
    expect((await get(`/downloads/${name}/asked`)).text).not.toContain('one');
  });

  it('holds a projection fresh for CACHE_TTL_SECONDS, whatever its resource’s rule says, or for its own ttlMs', async () => {
    const ttlOf = async (path: string) => {
      await get(path);
      return Number(/; ttl=(\d+)/.exec(String((await get(path)).fields['cache-status']))?.[1]);
    };
    expect(await ttlOf('/registry/JSONStream')).toBeLessThanOrEqual(900);
    expect(await ttlOf('/downloads/JSONStream')).toBeGreaterThan(900);
    const ownTtl = await ttlOf(`/downloads/${fresh()}/version?version=1`);
    expect([ownTtl > 0, ownTtl <= 120]).toEqual([true, true]);
  });

  it('fills the path of a projection with parameters of route and query, none of which leads elsewhere', async () => {
    const name = fresh();
    const scoped = encodeURIComponent(`@scope/${name}`);
    expect((await get(`/downloads/${scoped}/version?version=1%262`)).text).toBe(
      JSON.stringify({ path: `/api/@scope%2F${name}?version=1%262` }),
    );
    const refused = { status: 400, text: expect.stringContaining('request-invalid') as string };
    for (const path of [`${name}/version`, `${name}/version?version=`, `${name}/version?version=1&version=2`])
      expect(await get(`/downloads/${path}`)).toMatchObject(refused);
    for (const path of ['%2e%2e/version?version=1', 'a%2F..%2F..%2Fb', '%2E', 'a%5Cb', '..;%2Fb'])
      expect((await get(`/downloads/${path}`)).status).toBeGreaterThanOrEqual(400);
    expect(paths()).toEqual([`/api/@scope%2F${name}?version=1%262`]);
    expect(() => ProjectionOf(registry, 'users/:name')).toThrow('Example: /users/:account');
  });

  it('says what is missing where a load is not one of a projection', async () => {
    const load = { validators: undefined, isBackground: false, nothingStored: true, resource: undefined };
    await expect(under.client.project(load, () => ({}))).rejects.toThrow('put @ProjectionOf(registry, …) on the route');
  });
});
