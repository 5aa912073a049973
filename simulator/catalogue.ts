import { createHash } from 'node:crypto';

/** What is known of an account; everything else of its payload derives from it. */
export interface Account {
  readonly login: string;
  readonly id: number;
  readonly type: 'User' | 'Organization';
  readonly name: string;
  readonly publicRepos: number;
  readonly followers: number;
  readonly createdAt: string;
  readonly updatedAt: string;
}

export interface Issue {
  readonly number: number;
  title: string;
  body: string;
  state: 'open' | 'closed';
  readonly comments: string[];
}

/** A file of a release. */
export interface Asset {
  readonly id: number;
  readonly name: string;
  readonly contentType: string;
  readonly bytes: Buffer;
}

const WELL_KNOWN: readonly Account[] = [
  known('redis', 1529926, 'Organization', 'Redis', 155, 9_800, '2011-11-01'),
  known('github', 9919, 'Organization', 'GitHub', 512, 62_000, '2008-05-11'),
  known('nodejs', 9950313, 'Organization', 'Node.js', 242, 24_500, '2014-11-25'),
  known('nestjs', 28507035, 'Organization', 'NestJS', 61, 5_400, '2017-05-08'),
  known('microsoft', 6154722, 'Organization', 'Microsoft', 7_431, 105_000, '2013-12-10'),
  known('google', 1342004, 'Organization', 'Google', 2_801, 62_500, '2012-01-18'),
  known('vercel', 14985020, 'Organization', 'Vercel', 218, 19_700, '2015-10-05'),
  known('torvalds', 1024025, 'User', 'Linus Torvalds', 9, 245_000, '2011-09-03'),
  known('octocat', 583231, 'User', 'The Octocat', 8, 19_900, '2011-01-25'),
];

const NAME = /^[a-z\d]+(?:-[a-z\d]+)*$/i;

/** Accounts, their repositories and issues: a handful by name, any other name derived from itself, some names unknown. */
export class Catalogue {
  private readonly accounts = new Map<string, Account>(
    WELL_KNOWN.map((account) => [account.login.toLowerCase(), account]),
  );
  private readonly logins = new Map<number, string>(WELL_KNOWN.map(({ id, login }) => [id, login]));
  private readonly repositoryNames = new Map<number, string>();
  private readonly removed = new Set<string>();
  private readonly renamed = new Map<string, string>([['redis/redis-old', 'redis/redis']]);
  private readonly issues = new Map<string, Issue[]>();
  private readonly stars = new Map<string, number>();
  private readonly assets = new Map<number, Asset[]>();
  private revision = 0;

  /** Grows with every change: what was rendered before may be out of date. */
  get version(): number {
    return this.revision;
  }

  account(name: string): Account | undefined {
    const login = name.toLowerCase();
    if (this.removed.has(login) || name.length > 39 || !NAME.test(name) || /^(ghost-|missing-|nobody$)/.test(login))
      return undefined;
    const found = this.accounts.get(login);
    if (found) return found;
    const number = numberOf(login);
    const made = known(
      name,
      1_000_000 + (number % 90_000_000),
      number % 3 === 0 ? 'Organization' : 'User',
      name,
      number % 120,
      number % 5_000,
      '2015-06-01',
    );
    this.accounts.set(login, made);
    this.logins.set(made.id, name);
    return made;
  }

  /** An account that was asked for by its name before, by its id. */
  accountById(id: number): Account | undefined {
    const login = this.logins.get(id);
    return login === undefined ? undefined : this.account(login);
  }

  /** Changes what is known of an account, as somebody on GitHub would. */
  setAccount(login: string, patch: Partial<Account>): void {
    const account = this.account(login);
    if (!account) throw new Error(`There is no account ${login}`);
    this.accounts.set(login.toLowerCase(), { ...account, updatedAt: nextSecond(account.updatedAt), ...patch });
    this.revision += 1;
  }

  removeAccount(login: string): void {
    this.removed.add(login.toLowerCase());
    this.revision += 1;
  }

  /** The canonical name of a repository that exists, `private` for one that only its owner sees. */
  repository(
    owner: string,
    name: string,
  ): { readonly owner: Account; readonly name: string; readonly isPrivate: boolean } | undefined {
    const account = this.account(owner);
    if (!account || !/^[\w.-]{1,100}$/.test(name) || /^(ghost-|missing-)/.test(name.toLowerCase())) return undefined;
    return { owner: account, name: name.toLowerCase(), isPrivate: name.toLowerCase() === 'secret' };
  }

  /** The id of a repository, by which it can be asked for from now on. */
  idOf(fullName: string): number {
    const id = repositoryId(fullName);
    this.repositoryNames.set(id, fullName);
    return id;
  }

  /** `owner/name` of a repository whose id was told before. */
  repositoryById(id: number): string | undefined {
    return this.repositoryNames.get(id);
  }

  renameRepository(from: string, to: string): void {
    this.renamed.set(from.toLowerCase(), to.toLowerCase());
    this.revision += 1;
  }

  newNameOf(owner: string, name: string): string | undefined {
    return this.renamed.get(`${owner}/${name}`.toLowerCase());
  }

  starsOf(repository: string): number {
    return this.stars.get(repository) ?? numberOf(repository) % 70_000;
  }

  star(repository: string, by: number): void {
    this.stars.set(repository, this.starsOf(repository) + by);
    this.revision += 1;
  }

  issuesOf(repository: string): Issue[] {
    const known = this.issues.get(repository);
    if (known) return known;
    const made = Array.from({ length: 45 }, (_, at): Issue => {
      const number = at + 1;
      return {
        number,
        title: `Issue ${number} of ${repository}`,
        body: `What happened in ${repository}, number ${number}.`,
        state: number % 4 === 0 ? 'closed' : 'open',
        comments: [`First comment on ${number}`],
      };
    });
    this.issues.set(repository, made);
    return made;
  }

  addIssue(repository: string, title: string, body: string): Issue {
    const issues = this.issuesOf(repository);
    const issue: Issue = { number: issues.length + 1, title, body, state: 'open', comments: [] };
    issues.push(issue);
    this.revision += 1;
    return issue;
  }

  /** Of a release, by its id. */
  assetsOf(release: number): readonly Asset[] {
    return this.assets.get(release) ?? [];
  }

  asset(id: number): Asset | undefined {
    return [...this.assets.values()].flat().find((one) => one.id === id);
  }

  addAsset(release: number, name: string, contentType: string, bytes: Buffer): Asset {
    const asset = { id: numberOf(`${release}/${name}`), name, contentType, bytes };
    this.assets.set(release, [...this.assetsOf(release), asset]);
    this.revision += 1;
    return asset;
  }

  /** Tells that an issue was changed in place. */
  touch(): void {
    this.revision += 1;
  }
}

export function numberOf(text: string): number {
  return createHash('sha256').update(text).digest().readUInt32BE(0);
}

export function repositoryId(fullName: string): number {
  return numberOf(fullName.toLowerCase()) % 900_000_000;
}

function known(
  login: string,
  id: number,
  type: Account['type'],
  name: string,
  publicRepos: number,
  followers: number,
  day: string,
): Account {
  return {
    login,
    id,
    type,
    name,
    publicRepos,
    followers,
    createdAt: `${day}T10:00:00Z`,
    updatedAt: '2026-10-01T08:30:00Z',
  };
}

function nextSecond(instant: string): string {
  return new Date(Date.parse(instant) + 1_000).toISOString().replace('.000Z', 'Z');
}
