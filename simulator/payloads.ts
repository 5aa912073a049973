import { numberOf, repositoryId, type Account, type Asset, type Catalogue, type Issue } from './catalogue';

/*
 * Payloads in the shape of GitHub's REST API (https://docs.github.com/en/rest), with URLs under the simulator's own base.
 */

export type Payload = Readonly<Record<string, unknown>>;

function simpleUser(base: string, { login, id, type }: Account): Payload {
  const url = `${base}/users/${login}`;
  return {
    login,
    id,
    node_id: Buffer.from(`04:User${id}`).toString('base64'),
    avatar_url: `https://avatars.githubusercontent.com/u/${id}?v=4`,
    gravatar_id: '',
    url,
    html_url: `https://github.com/${login}`,
    followers_url: `${url}/followers`,
    following_url: `${url}/following{/other_user}`,
    gists_url: `${url}/gists{/gist_id}`,
    starred_url: `${url}/starred{/owner}{/repo}`,
    subscriptions_url: `${url}/subscriptions`,
    organizations_url: `${url}/orgs`,
    repos_url: `${url}/repos`,
    events_url: `${url}/events{/privacy}`,
    received_events_url: `${url}/received_events`,
    type,
    user_view_type: 'public',
    site_admin: false,
  };
}

export function user(base: string, account: Account): Payload {
  const isOrganization = account.type === 'Organization';
  return {
    ...simpleUser(base, account),
    name: account.name,
    company: isOrganization ? null : 'GitHub',
    blog: `https://${account.login.toLowerCase()}.example`,
    location: 'San Francisco',
    email: null,
    hireable: null,
    bio: isOrganization ? `${account.name} on GitHub` : null,
    twitter_username: null,
    public_repos: account.publicRepos,
    public_gists: account.id % 12,
    followers: account.followers,
    following: account.id % 50,
    created_at: account.createdAt,
    updated_at: account.updatedAt,
  };
}

export function organization(base: string, account: Account): Payload {
  const url = `${base}/orgs/${account.login}`;
  const { email, twitter_username, public_repos, public_gists, followers, following, created_at, updated_at } = user(
    base,
    account,
  );
  return {
    login: account.login,
    id: account.id,
    node_id: Buffer.from(`12:Organization${account.id}`).toString('base64'),
    url,
    repos_url: `${url}/repos`,
    events_url: `${url}/events`,
    hooks_url: `${url}/hooks`,
    issues_url: `${url}/issues`,
    members_url: `${url}/members{/member}`,
    public_members_url: `${url}/public_members{/member}`,
    avatar_url: `https://avatars.githubusercontent.com/u/${account.id}?v=4`,
    description: `${account.name} on GitHub`,
    name: account.name,
    is_verified: true,
    has_organization_projects: true,
    has_repository_projects: true,
    html_url: `https://github.com/${account.login}`,
    type: 'Organization',
    ...{ email, twitter_username, public_repos, public_gists, followers, following, created_at, updated_at },
  };
}

export function repository(
  base: string,
  catalogue: Catalogue,
  owner: Account,
  name: string,
  isPrivate: boolean,
): Payload {
  const fullName = `${owner.login}/${name}`;
  const url = `${base}/repos/${fullName}`;
  const id = repositoryId(fullName);
  const stars = catalogue.starsOf(fullName.toLowerCase());
  return {
    id,
    node_id: Buffer.from(`010:Repository${id}`).toString('base64'),
    name,
    full_name: fullName,
    private: isPrivate,
    owner: simpleUser(base, owner),
    html_url: `https://github.com/${fullName}`,
    description: `The ${name} of ${owner.name}`,
    fork: false,
    url,
    issues_url: `${url}/issues{/number}`,
    pulls_url: `${url}/pulls{/number}`,
    commits_url: `${url}/commits{/sha}`,
    branches_url: `${url}/branches{/branch}`,
    tags_url: `${url}/tags`,
    contents_url: `${url}/contents/{+path}`,
    releases_url: `${url}/releases{/id}`,
    created_at: '2012-02-01T00:00:00Z',
    updated_at: '2026-10-01T08:30:00Z',
    pushed_at: '2026-10-01T08:00:00Z',
    git_url: `git://github.com/${fullName}.git`,
    clone_url: `https://github.com/${fullName}.git`,
    size: id % 90_000,
    stargazers_count: stars,
    watchers_count: stars,
    language: 'TypeScript',
    has_issues: true,
    forks_count: stars % 900,
    archived: false,
    disabled: false,
    open_issues_count: catalogue.issuesOf(fullName.toLowerCase()).filter(({ state }) => state === 'open').length,
    license: {
      key: 'mit',
      name: 'MIT License',
      spdx_id: 'MIT',
      url: `${base}/licenses/mit`,
      node_id: 'MDc6TGljZW5zZTEz',
    },
    topics: ['cache', 'database'],
    visibility: isPrivate ? 'private' : 'public',
    default_branch: 'main',
  };
}

export function repositories(base: string, catalogue: Catalogue, owner: Account): Payload[] {
  return Array.from({ length: owner.publicRepos }, (_, at) =>
    repository(base, catalogue, owner, at === 0 ? owner.login.toLowerCase() : `project-${at}`, false),
  );
}

export function issue(
  base: string,
  owner: Account,
  fullName: string,
  { number, title, body, state, comments }: Issue,
): Payload {
  const url = `${base}/repos/${fullName}/issues/${number}`;
  return {
    url,
    repository_url: `${base}/repos/${fullName}`,
    comments_url: `${url}/comments`,
    html_url: `https://github.com/${fullName}/issues/${number}`,
    id: repositoryId(`${fullName}#${number}`),
    number,
    title,
    user: simpleUser(base, owner),
    labels: [],
    state,
    locked: false,
    assignees: [],
    milestone: null,
    comments: comments.length,
    created_at: '2026-09-01T00:00:00Z',
    updated_at: '2026-10-01T00:00:00Z',
    closed_at: state === 'closed' ? '2026-10-01T00:00:00Z' : null,
    author_association: 'NONE',
    body,
  };
}

export function pullRequests(base: string, owner: Account, fullName: string): Payload[] {
  return partsOf(base, owner, fullName, 'pulls');
}

/** @param uploads where its `upload_url` points */
export function releasesOf(
  base: string,
  owner: Account,
  fullName: string,
  uploads = base,
  catalogue?: Catalogue,
): Payload[] {
  return partsOf(base, owner, fullName, 'releases').map((part) => {
    const { id, number, html_url, author, created_at } = part;
    const url = `${base}/repos/${fullName}/releases/${String(id)}`;
    const assets = catalogue?.assetsOf(Number(id)) ?? [];
    return {
      ...{ url, assets_url: `${url}/assets`, html_url, id, author, created_at, published_at: created_at },
      upload_url: `${uploads}/repos/${fullName}/releases/${String(id)}/assets{?name,label}`,
      ...{ node_id: `RE_${String(id)}`, tag_name: `v${String(number)}`, target_commitish: 'main' },
      ...{ name: `Release ${String(number)}`, body: 'What is new.', draft: false, prerelease: false },
      tarball_url: `${base}/repos/${fullName}/tarball/v${String(number)}`,
      zipball_url: `${base}/repos/${fullName}/zipball/v${String(number)}`,
      assets: assets.map((one) => asset(base, fullName, one)),
    };
  });
}

export function asset(base: string, fullName: string, { id, name, contentType, bytes }: Asset): Payload {
  return {
    url: `${base}/repos/${fullName}/releases/assets/${id}`,
    browser_download_url: `https://github.com/${fullName}/releases/download/v1/${name}`,
    ...{ id, node_id: `RA_${id}`, name, label: '', state: 'uploaded', content_type: contentType, size: bytes.length },
    ...{ download_count: 0, created_at: '2026-09-01T00:00:00Z', updated_at: '2026-09-01T00:00:00Z' },
  };
}

/** Objects of a repository that tests only count and page through: commits, branches, tags, releases, pulls, contributors. */
export function partsOf(base: string, owner: Account, fullName: string, kind: string): Payload[] {
  return Array.from({ length: 40 }, (_, at) => {
    const sha = numberOf(`${fullName}/${kind}/${at}`).toString(16).padStart(40, '0');
    return {
      id: repositoryId(`${fullName}/${kind}/${at}`),
      number: at + 1,
      title: `${kind}-${at + 1}`,
      sha,
      name: `${kind}-${at + 1}`,
      login: owner.login,
      url: `${base}/repos/${fullName}/${kind}/${sha}`,
      html_url: `https://github.com/${fullName}/${kind}/${at + 1}`,
      author: simpleUser(base, owner),
      created_at: '2026-09-01T00:00:00Z',
    };
  });
}
