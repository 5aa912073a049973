import { githubTags } from './github-tags';
import { answerTagsOf } from './github-write-answers';
import { githubTagsOfWrite } from './github-writes';

const API = 'https://api.github.com';
const REPOSITORY = { id: 9, full_name: 'Me/Tool', owner: { login: 'Me', id: 5 }, url: `${API}/repos/Me/Tool` };
const mutation = (text: string): object => ({ query: `mutation { ${text} }` });

/** What a write leaves of the reads; undefined where its answer does not tell what it has changed. */
function left(
  method: string,
  path: string,
  sent: unknown,
  answer: unknown,
  reads: readonly string[],
): readonly string[] | undefined {
  const body = sent === undefined ? undefined : Buffer.from(JSON.stringify(sent));
  const told = answerTagsOf(path, method, body)?.(answer);
  if (told === undefined) return undefined;
  const tags = new Set([...githubTagsOfWrite(path, method, body), ...told]);
  return reads.filter((read) => !githubTags(read).some((tag) => tags.has(tag)));
}

describe('the answer to a write', () => {
  it.each<[string, string, unknown, unknown, readonly string[]]>([
    ['PATCH', '/repositories/9', { private: true }, REPOSITORY, ['/repos/me/tool', '/repos/me/tool/issues']],
    ['PATCH', '/repositories/9', { name: 'tool' }, REPOSITORY, ['/repos/me/before', '/repos/me/before/issues']],
    [
      'POST',
      '/repositories/9/issues',
      {},
      { url: `${API}/repos/me/tool/issues/1`, repository_url: `${API}/repos/me/tool` },
      ['/repos/me/tool/issues', '/repos/me/tool', '/user/issues', '/orgs/me/issues'],
    ],
    [
      'PUT',
      '/repositories/9/contents/a',
      {},
      { content: { url: `${API}/repos/me/tool/contents/a` } },
      ['/repos/me/tool/commits', '/repos/me/tool/pulls/1'],
    ],
    [
      'POST',
      '/repositories/9/pulls',
      {},
      { url: `${API}/repos/me/tool/pulls/1`, head: { repo: { id: 11, full_name: 'mona/fork' } } },
      ['/repos/me/tool/pulls'],
    ],
    ['PUT', '/repositories/9/collaborators/mona', {}, { repository: REPOSITORY }, ['/repos/me/tool/collaborators']],
    ['POST', '/repositories/9/transfer', { new_owner: 'acme' }, REPOSITORY, ['/repos/me/tool', '/repos/acme/tool']],
    [
      'PATCH',
      '/repositories/9',
      {},
      { ...REPOSITORY, url: 'https://ghe.example/api/v3/repos/me/tool', full_name: 5 },
      ['/repos/me/tool'],
    ],
    ['POST', '/user/repos', { name: 'tool' }, REPOSITORY, ['/repos/me/tool', '/repos/me/tool/issues', '/users/me']],
    ['POST', '/user/repos', { name: 'tool' }, REPOSITORY, ['/users/me/repos', '/user/repos', '/user', '/user/5/repos']],
    ['POST', '/repos/o/r/forks', undefined, { ...REPOSITORY, parent: {} }, ['/repos/me/tool', '/users/me', '/user/5']],
    ['POST', '/repos/o/r/generate', { name: 'tool' }, REPOSITORY, ['/repos/me/tool', '/users/me/repos']],
    ['POST', '/orgs/me/repos', { name: 'My tool!' }, REPOSITORY, ['/repos/me/tool', '/orgs/me/repos', '/orgs/me']],
    ['PATCH', '/repos/o/r', { name: 'tool' }, REPOSITORY, ['/repos/me/tool', '/repos/o/r', '/users/o/repos']],
    ['PATCH', '/organizations/5', {}, { login: 'Acme', id: 5 }, ['/orgs/acme', '/orgs/acme/members', '/repos/acme/x']],
    [
      'PUT',
      '/organizations/5/public_members/mona',
      {},
      { url: `${API}/orgs/acme/public_members/mona` },
      ['/orgs/acme/public_members', '/orgs/acme/members'],
    ],
    ['POST', '/organizations/5/hooks', {}, { url: `${API}/orgs/acme/hooks/1` }, ['/orgs/acme/hooks']],
    [
      'POST',
      '/organizations/5/repos',
      {},
      { ...REPOSITORY, organization: { login: 'me' } },
      ['/orgs/me/repos', '/repos/me/tool', '/users/me'],
    ],
    [
      'PATCH',
      '/teams/5',
      { parent_team_id: 1 },
      { slug: 'devs', organization: { login: 'acme' } },
      ['/orgs/acme/teams/devs', '/orgs/acme/teams', '/repos/acme/secret'],
    ],
    [
      'POST',
      '/graphql',
      mutation('createIssue { issue { repository { nameWithOwner } } }'),
      { data: { createIssue: { issue: { repository: { nameWithOwner: 'Me/Tool' } } } } },
      ['/repos/me/tool/issues', '/repos/me/tool', '/user/issues', '/repositories/9/issues'],
    ],
    [
      'POST',
      '/graphql',
      mutation('addComment { subject { url } }'),
      { data: { addComment: { subject: { url: 'https://github.com/me/tool/issues/1' } } } },
      ['/repos/me/tool/issues/1/comments'],
    ],
    [
      'POST',
      '/graphql',
      mutation('x: createRepository { repository { nameWithOwner } }'),
      { data: { x: { repository: { nameWithOwner: 'me/tool' } } } },
      ['/repos/me/tool', '/users/me', '/users/me/repos', '/user/repos', '/user/5/repos'],
    ],
  ])('%s %s %j: of what %j names it leaves none of %j', (method, path, sent, answer, reads) => {
    expect(left(method, path, sent, answer, reads)).toEqual([]);
  });

  it.each<[string, string, unknown, unknown, readonly string[]]>([
    [
      'PATCH',
      '/repositories/9',
      {},
      { ...REPOSITORY, parent: { id: 1, full_name: 'o/parent' }, source: { id: 2, full_name: 'o/source' } },
      ['/repos/o/parent', '/repos/o/source', '/users/o'],
    ],
    ['POST', '/user/repos', {}, REPOSITORY, ['/repos/me/other', '/repos/o/r', '/orgs/me/members']],
    ['POST', '/repositories/9/issues', {}, { repository_url: `${API}/repos/me/tool` }, ['/repos/me/other/issues']],
    [
      'POST',
      '/graphql',
      mutation('addStar { clientMutationId }'),
      { data: { addStar: {} } },
      ['/repos/o/r', '/users/o'],
    ],
    [
      'POST',
      '/graphql',
      mutation('createRepository { repository { nameWithOwner } }'),
      { data: { createRepository: null }, errors: [{ type: 'UNPROCESSABLE', path: ['createRepository'] }] },
      ['/users/me', '/repos/me/tool'],
    ],
    ['POST', '/graphql', mutation('createRepository { x }'), { errors: [{ message: 'no x' }] }, ['/users/me']],
  ])('%s %s %j: of what %j names it leaves all of %j', (method, path, sent, answer, reads) => {
    expect(left(method, path, sent, answer, reads)).toEqual(reads);
  });

  const many = Array.from({ length: 1_000 }, (_item, at) => ({ full_name: `o/r${at}` }));

  it.each<[string, string, unknown, unknown]>([
    ['PUT', '/repositories/9/topics', { names: ['a'] }, { names: ['a'] }],
    ['DELETE', '/repositories/9/issues/comments/5', undefined, undefined],
    ['PUT', '/repositories/9/pulls/5/merge', {}, { sha: 'a', merged: true }],
    ['POST', '/repositories/9/forks', {}, many],
    ['PATCH', '/repositories/9/issues/5', {}, { assignees: many }],
    ['PATCH', '/repositories/9', {}, 'text'],
    ['PATCH', '/repositories/9', {}, { full_name: '../..', url: `${API}/repos/../..` }],
    ['POST', '/repositories/9/issues/5/dependencies/blocked_by', {}, { url: `${API}/repos/o/other/issues/1` }],
    ['POST', '/user/repos', {}, { full_name: 'a/b/c' }],
    ['POST', '/user/repos', {}, undefined],
    ['POST', '/repos/o/r/forks', undefined, {}],
    ['PATCH', '/user/repository_invitations/5', undefined, undefined],
    ['PUT', '/teams/5/memberships/mona', {}, { url: `${API}/teams/5/memberships/mona` }],
    ['POST', '/organizations/5/invitations', {}, { login: 'mona', inviter: { login: 'lisa' } }],
    ['POST', '/graphql', mutation('createRepository { repository { id } }'), { data: { createRepository: {} } }],
    ['POST', '/graphql', mutation('transferIssue { issue { url } }'), { data: { transferIssue: {} } }],
    ['POST', '/graphql', mutation('...F'), { data: { updateRepository: {} } }],
    ['POST', '/graphql', mutation('addStar { x }'), { data: null, errors: [{ message: 'timed out' }] }],
    ['POST', '/graphql', mutation('addStar { x }'), undefined],
    ['POST', '/graphql', mutation('addStar { x }'), { data: { addStar: many } }],
    ['POST', '/graphql', { id: 'stored' }, { data: { addStar: {} } }],
  ])('%s %s %j: does not tell what has changed by %j', (method, path, sent, answer) => {
    const body = sent === undefined ? undefined : Buffer.from(JSON.stringify(sent));
    const tagsOf = answerTagsOf(path, method, body);
    expect(tagsOf).toBeDefined();
    expect(tagsOf?.(answer)).toBeUndefined();
  });

  it.each([
    ['POST', '/repos/o/r/issues'],
    ['PUT', '/user/starred/o/r'],
    ['PUT', '/teams/5/repos/o/r'],
    ['DELETE', '/repos/o/r'],
    ['DELETE', '/repositories/9'],
    ['DELETE', '/teams/5'],
    ['POST', '/markdown'],
    ['PATCH', '/gists/G'],
  ])('%s %s is not read: the request says everything', (method, path) => {
    expect(answerTagsOf(path, method, undefined)).toBeUndefined();
  });

  it('is not read for a query', () => {
    expect(answerTagsOf('/graphql', 'POST', Buffer.from('{"query":"{ viewer { login } }"}'))).toBeUndefined();
  });

  it('yields few tags, however many names it has', () => {
    const five = many.slice(0, 5);
    expect(answerTagsOf('/repositories/9', 'PATCH', undefined)?.({ ...REPOSITORY, id: 1, five })).toBeUndefined();
    const tags = answerTagsOf(
      '/repositories/9',
      'PATCH',
      undefined,
    )?.({ ...REPOSITORY, id: 1, four: many.slice(0, 4) });
    expect(tags?.length).toBeLessThanOrEqual(150);
  });
});

describe("a write to the caller's own", () => {
  it.each<[string, string, readonly string[]]>([
    ['POST', '/user/repos', ['/users/me', '/users/me/repos', '/user/5', '/user/repos']],
    ['PATCH', '/user', ['/users/me', '/user/5', '/user']],
    ['PUT', '/user/following/mona', ['/users/me/following', '/users/me', '/users/mona/followers']],
    ['PUT', '/user/starred/o/r', ['/users/me/starred', '/user/starred', '/repos/o/r/stargazers']],
    ['DELETE', '/repos/o/r/subscription', ['/users/me/subscriptions']],
    ['POST', '/user/keys', ['/users/me/keys', '/user/keys']],
    ['POST', '/gists', ['/users/me/gists', '/users/me', '/user']],
    ['DELETE', '/gists/g', ['/users/me/gists', '/users/me', '/user', '/gists/g']],
    ['POST', '/repos/o/r/forks', ['/users/me', '/users/me/repos', '/user/5/repos']],
    ['POST', '/repos/o/r/generate', ['/users/me/repos', '/user/repos']],
    ['DELETE', '/repos/me/r', ['/users/me', '/users/me/repos', '/user/5/repos']],
    ['PATCH', '/user/memberships/orgs/O', ['/users/me/orgs']],
  ])('%s %s leaves none of %j, whoever has loaded it', (method, path, reads) => {
    const tags = new Set(githubTagsOfWrite(path, method));
    expect(reads.filter((read) => !githubTags(read).some((tag) => tags.has(tag)))).toEqual([]);
  });

  it.each<[string, string, readonly string[]]>([
    ['PUT', '/user/starred/o/r', ['/users/me/repos', '/users/me/keys', '/users/me']],
    ['PUT', '/notifications', ['/users/me', '/users/me/repos']],
    ['POST', '/user/keys', ['/users/me', '/users/me/starred']],
  ])('%s %s leaves all of %j', (method, path, reads) => {
    const tags = new Set(githubTagsOfWrite(path, method));
    expect(reads.filter((read) => githubTags(read).some((tag) => tags.has(tag)))).toEqual([]);
  });
});
