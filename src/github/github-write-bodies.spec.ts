import { githubTags } from './github-tags';
import { tokensEnded } from './github-write-bodies';
import { githubTagsOfWrite } from './github-writes';

const sent = (body: unknown): Buffer => Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
const TOKEN = `ghp_${'a'.repeat(36)}`;

describe('the names that a write makes', () => {
  it.each<[string, string, unknown, readonly string[]]>([
    ['POST', '/repos/o/r/forks', { organization: 'Acme' }, ['/repos/acme/r', '/orgs/acme/repos', '/users/acme']],
    ['POST', '/repos/o/r/forks', { organization: 'acme', name: 'n' }, ['/repos/acme/n/issues', '/orgs/acme']],
    ['POST', '/repos/o/r/transfer', { new_owner: 'acme' }, ['/repos/acme/r', '/users/acme/repos', '/users/acme']],
    ['POST', '/repos/o/r/transfer', { new_owner: 'acme', new_name: 'n' }, ['/repos/acme/n', '/repos/o/r']],
    ['POST', '/repositories/7/transfer', { new_owner: 'acme' }, ['/repos/acme/r', '/users/acme']],
    ['POST', '/repos/o/r/generate', { owner: 'acme', name: 'My new' }, ['/repos/acme/my-new', '/orgs/acme/repos']],
    ['PATCH', '/repos/o/r', { name: 'r2' }, ['/repos/o/r2', '/repos/o/r2/issues', '/repos/o/r']],
    ['POST', '/orgs/acme/repos', { name: 'n' }, ['/repos/acme/n', '/orgs/acme/repos', '/orgs/acme']],
    ['PATCH', '/orgs/o/properties/values', { repository_names: ['r'] }, ['/repos/o/r', '/orgs/o/repos', '/user/repos']],
    ['PATCH', '/orgs/o/properties/values', 'compressed', ['/repos/o/r', '/orgs/o/properties/values']],
    ['POST', '/admin/organizations', { login: 'acme' }, ['/orgs/acme', '/orgs/acme/repos', '/users/acme']],
    ['PATCH', '/admin/users/mona', { login: 'mona9' }, ['/users/mona9']],
  ])('%s %s %j leaves none of %j', (method, path, body, made) => {
    const tags = new Set(githubTagsOfWrite(path, method, sent(body)));
    expect(made.filter((read) => !githubTags(read).some((tag) => tags.has(tag)))).toEqual([]);
  });

  it.each<[string, string, unknown, readonly string[]]>([
    ['POST', '/repos/o/r/labels', { name: 'x' }, ['/repos/o/x']],
    ['PATCH', '/orgs/o', { name: 'x' }, ['/repos/o/x', '/users/x']],
    ['PATCH', '/orgs/o/properties/values', { repository_names: ['r'] }, ['/repos/o/other', '/orgs/o/members']],
    ['POST', '/repos/o/r/forks', { organization: 'acme' }, ['/repos/acme/other', '/orgs/acme/members']],
  ])('%s %s %j leaves all of %j', (method, path, body, kept) => {
    const tags = new Set(githubTagsOfWrite(path, method, sent(body)));
    expect(kept.filter((read) => githubTags(read).some((tag) => tags.has(tag)))).toEqual([]);
  });

  it.each<[string, unknown]>([
    ['nothing', ''],
    ['no JSON', '{"organization":'],
    ['null', 'null'],
    ['a list', [{ organization: 'acme' }]],
    ['other types', { organization: 5, owner: {}, new_owner: ['acme'], name: null, login: true }],
    ['a prototype', '{"__proto__":{"organization":"acme"}}'],
    ['a name that is far too long', { organization: 'a'.repeat(60_000) }],
    ['depth', '['.repeat(30_000)],
  ])('are none in a body of %s', (_what, body) => {
    const path = '/repos/o/r/forks';
    expect(githubTagsOfWrite(path, 'POST', sent(body))).toEqual(githubTagsOfWrite(path, 'POST'));
  });

  it('are few', () => {
    const body = { organization: 'a', owner: 'b', new_owner: 'c', name: 'd', new_name: 'e', login: 'f' };
    for (const path of ['/repos/o/r', '/repos/o/r/transfer', '/orgs/o/repos', '/admin/organizations'])
      expect(githubTagsOfWrite(path, 'PATCH', sent(body)).length).toBeLessThanOrEqual(40);
  });
});

describe('the tokens that a write ends', () => {
  it.each<[string, string, unknown, readonly string[] | undefined]>([
    ['DELETE', '/applications/cid/token', { access_token: TOKEN }, [TOKEN]],
    ['PATCH', '/applications/cid/token', { access_token: TOKEN }, [TOKEN]],
    ['POST', '/applications/cid/token', { access_token: TOKEN }, []],
    ['POST', '/credentials/revoke', { credentials: [TOKEN, 'x'] }, [TOKEN, 'x']],
    ['POST', '/Credentials/Revoke/', { credentials: [TOKEN] }, [TOKEN]],
    ['DELETE', '/applications/cid/token', {}, undefined],
    ['POST', '/credentials/revoke', 'no JSON', undefined],
    ['POST', '/credentials/revoke', { credentials: TOKEN }, undefined],
    ['POST', '/credentials/revoke', { credentials: [5] }, undefined],
    ['POST', '/credentials/revoke', { credentials: Array.from({ length: 1_001 }, () => TOKEN) }, undefined],
    ['POST', '/repos/o/r/issues', { access_token: TOKEN, credentials: [TOKEN] }, []],
  ])('%s %s', (method, path, body, tokens) => {
    expect(tokensEnded(path, method, sent(body))).toEqual(tokens);
    expect(githubTagsOfWrite(path, method, sent(body)).includes('*')).toBe(tokens === undefined);
  });

  it('may be any, where the body is not at hand', () => {
    expect(githubTagsOfWrite('/credentials/revoke', 'POST')).toEqual(['*']);
  });
});
