import { repositoryId, type Account, type Catalogue, type Issue } from './catalogue';
import { pullRequests, releasesOf } from './payloads';
import { parseDocument, type Field } from './graphql-document';

/*
 * GitHub's GraphQL API, as far as a cache in front of its REST API needs it: reads, and writes that the REST API shows from then on.
 */

/** An object: its members, or functions of a field's arguments. */
type Node = Readonly<Record<string, unknown>>;

type Response =
  { readonly data: unknown; readonly errors?: readonly object[] } | { readonly errors: readonly object[] };

class GraphqlError extends Error {
  constructor(
    readonly type: string,
    message: string,
  ) {
    super(message);
  }
}

export class GraphqlApi {
  constructor(
    private readonly catalogue: Catalogue,
    private readonly viewer: Account | undefined,
  ) {}

  answer({ query, variables, operationName }: Readonly<Record<string, unknown>>): Response {
    if (typeof query !== 'string')
      return { errors: [{ message: 'A query attribute must be specified and must be a string.' }] };
    try {
      const operations = parseDocument(query, (variables ?? {}) as Record<string, unknown>);
      const found = operations.find(({ name }) => name === operationName) ?? operations[0];
      if (!found) throw new Error('Parse error: unexpected end of document');
      return this.run(found.kind === 'mutation' ? this.mutations : this.queries, found.fields);
    } catch (error) {
      return { errors: [{ message: (error as Error).message }] };
    }
  }

  /** A field that fails is null, and an error beside the data. */
  private run(root: Node, fields: readonly Field[]): Response {
    const errors: object[] = [];
    const data = Object.fromEntries(
      fields.map((field) => {
        try {
          return [field.alias, select(root, field)];
        } catch (error) {
          if (!(error instanceof GraphqlError)) throw error;
          errors.push({ type: error.type, path: [field.alias], message: error.message });
          return [field.alias, null];
        }
      }),
    );
    return errors.length === 0 ? { data } : { data, errors };
  }

  private get queries(): Node {
    return {
      viewer: () => this.viewer && userNode(this.viewer),
      user: ({ login }: Node) => {
        const account = this.catalogue.account(String(login));
        if (!account)
          throw new GraphqlError('NOT_FOUND', `Could not resolve to a User with the login of '${String(login)}'.`);
        return userNode(account);
      },
      __type: ({ name }: Node) => ({
        ...{ __typename: '__Type', name },
        fields: (TYPES[String(name)] ?? []).map((field) => ({ name: field })),
      }),
      repositoryOwner: ({ login }: Node) => {
        const account = this.catalogue.account(String(login));
        return account && this.ownerNode(account);
      },
      repository: ({ owner, name }: Node) => this.repositoryNode(`${String(owner)}/${String(name)}`),
    };
  }

  private get mutations(): Node {
    return {
      createIssue: ({ input }: { readonly input: Node }) => {
        const fullName = this.repositoryOf(input['repositoryId']);
        const made = this.catalogue.addIssue(
          fullName.toLowerCase(),
          String(input['title']),
          typeof input['body'] === 'string' ? input['body'] : '',
        );
        return { issue: this.issueNode(fullName, made) };
      },
      addStar: ({ input }: { readonly input: Node }) => this.star(input['starrableId'], 1),
      removeStar: ({ input }: { readonly input: Node }) => this.star(input['starrableId'], -1),
    };
  }

  private star(id: unknown, by: number): Node {
    const fullName = this.repositoryOf(id);
    this.catalogue.star(fullName.toLowerCase(), by);
    return { starrable: this.repositoryNode(fullName) };
  }

  /** The name of a repository by its node id, as REST and GraphQL give it. */
  private repositoryOf(nodeId: unknown): string {
    const [, id] = /^010:Repository(\d+)$/.exec(Buffer.from(String(nodeId), 'base64').toString('latin1')) ?? [];
    const fullName = id === undefined ? undefined : this.catalogue.repositoryById(Number(id));
    if (fullName === undefined)
      throw new GraphqlError('NOT_FOUND', `Could not resolve to a node with the global id of '${String(nodeId)}'`);
    return fullName;
  }

  private repositoryNode(fullName: string): Node {
    const [owner = '', name = ''] = fullName.split('/');
    const found = this.catalogue.repository(owner, name);
    if (!found || found.isPrivate)
      throw new GraphqlError('NOT_FOUND', `Could not resolve to a Repository with the name '${fullName}'.`);
    const key = fullName.toLowerCase();
    const issues = this.catalogue.issuesOf(key);
    this.catalogue.idOf(key);
    const { login } = found.owner;
    const url = `https://github.com/${login}/${found.name}`;
    const [pulls, releases] = [pullRequests, releasesOf].map((list) => list('', found.owner, `${login}/${found.name}`));
    const releaseNodes = (releases ?? []).map((one) => releaseNode(one));
    return {
      __typename: 'Repository',
      id: Buffer.from(`010:Repository${repositoryId(key)}`).toString('base64'),
      databaseId: repositoryId(key),
      name: found.name,
      nameWithOwner: `${login}/${found.name}`,
      owner: userNode(found.owner),
      description: `The ${found.name} of ${found.owner.name}`,
      ...{ url, visibility: 'PUBLIC', isPrivate: false, isFork: false, isArchived: false, viewerPermission: 'WRITE' },
      ...{ hasIssuesEnabled: true, hasWikiEnabled: false, parent: null, defaultBranchRef: { name: 'main' } },
      ...{ mergeCommitAllowed: true, rebaseMergeAllowed: true, squashMergeAllowed: true },
      ...{ createdAt: '2012-02-01T00:00:00Z', updatedAt: '2026-10-01T08:30:00Z', pushedAt: '2026-10-01T08:00:00Z' },
      stargazerCount: this.catalogue.starsOf(key),
      issues: ({ states, ...page }: Node) => {
        const wanted = states === undefined ? undefined : [states].flat().map(String);
        const found = issues.map((one) => this.issueNode(fullName, one)).reverse();
        return connection(found.filter(({ state }) => wanted?.includes(String(state)) !== false))(page);
      },
      issue: ({ number }: Node) => {
        const one = issues[Number(number) - 1];
        return one && this.issueNode(fullName, one);
      },
      issueOrPullRequest: ({ number }: Node) => {
        const one = issues[Number(number) - 1];
        return one && this.issueNode(fullName, one);
      },
      pullRequests: connection((pulls ?? []).map((one) => pullNode(found.owner, one))),
      releases: connection(releaseNodes),
      release: ({ tagName }: Node) => releaseNodes.find((one) => one['tagName'] === tagName),
      latestRelease: releaseNodes[0],
    };
  }

  private ownerNode(account: Account): Node {
    const names = Array.from({ length: account.publicRepos }, (_, at) =>
      at === 0 ? account.login.toLowerCase() : `project-${at}`,
    );
    return {
      ...userNode(account),
      repositories: ({ first, after }: Node) => {
        const page = connection(names.map((name) => ({ name })))({ first, after });
        const nodes = (page['nodes'] as readonly Node[]).map(({ name }) =>
          this.repositoryNode(`${account.login}/${String(name)}`),
        );
        return { ...page, nodes };
      },
    };
  }

  private issueNode(fullName: string, { number, title, body, state, comments }: Issue): Node {
    const url = `https://github.com/${fullName}/issues/${number}`;
    return {
      id: Buffer.from(`05:Issue${repositoryId(`${fullName}#${number}`)}`).toString('base64'),
      number,
      title,
      body,
      url,
      state: state.toUpperCase(),
      ...{ __typename: 'Issue', createdAt: '2026-09-01T00:00:00Z', updatedAt: '2026-10-01T00:00:00Z', closedAt: null },
      ...{
        author: { __typename: 'User', id: 'U', login: 'octocat', name: 'The Octocat' },
        milestone: null,
        locked: false,
      },
      ...{ labels: NONE, assignees: NONE, projectCards: NONE, reactionGroups: [] },
      comments: connection(
        comments.map((text, at) => ({
          ...{ id: String(at), body: text, url: `${url}#${at}`, createdAt: '2026-09-02T00:00:00Z' },
          ...{
            author: { login: 'octocat' },
            authorAssociation: 'NONE',
            includesCreatedEdit: false,
            isMinimized: false,
          },
          ...{ minimizedReason: null, reactionGroups: [], viewerDidAuthor: false },
        })),
      ),
    };
  }
}

function userNode({ login, id, name, publicRepos }: Account): Node {
  const nodeId = Buffer.from(`04:User${id}`).toString('base64');
  return { __typename: 'User', id: nodeId, databaseId: id, login, name, repositories: { totalCount: publicRepos } };
}

function pullNode(owner: Account, { number, title, html_url: url }: Node): Node {
  return {
    ...{ __typename: 'PullRequest', number, title, url, state: 'OPEN', headRefName: `topic-${String(number)}` },
    ...{ headRepositoryOwner: userNode(owner), isCrossRepository: false, isDraft: false },
    createdAt: '2026-09-01T00:00:00Z',
  };
}

function releaseNode({ id, name, tag_name: tagName, html_url: url }: Node): Node {
  const at = '2026-09-01T00:00:00Z';
  return {
    ...{ __typename: 'Release', databaseId: id, name, tagName, url, isDraft: false, isPrerelease: false },
    ...{ isLatest: tagName === 'v1', createdAt: at, publishedAt: at },
  };
}

/** What a field selects of an object, or of each of a list. */
function select(node: Node, { name, args, fields }: Field): unknown {
  const member = name === '__typename' ? (node[name] ?? 'Object') : node[name];
  if (member === undefined) throw new Error(`Field '${name}' doesn't exist`);
  const value: unknown = typeof member === 'function' ? (member as (args: Node) => unknown)(args) : member;
  if (value === undefined || value === null) return null;
  if (fields.length === 0) return value;
  const one = (of: Node): unknown =>
    Object.fromEntries(
      fields
        .filter(({ on }) => on === undefined || on === of['__typename'])
        .map((field) => [field.alias, select(of, field)]),
    );
  return Array.isArray(value) ? value.map((item) => one(item as Node)) : one(value as Node);
}

/** A page of a list: `first` of it behind `after`. */
function connection(all: readonly Node[]) {
  return ({ first, last, after }: Node): Node => {
    const from = typeof after === 'string' ? Number(Buffer.from(after, 'base64').toString()) : 0;
    const count = Number(first ?? last ?? 30);
    const nodes = last === undefined ? all.slice(from, from + count) : all.slice(-count);
    const end = from + nodes.length;
    return {
      ...{ nodes, edges: nodes.map((node) => ({ node })), totalCount: all.length },
      pageInfo: {
        hasNextPage: last === undefined && end < all.length,
        endCursor: Buffer.from(String(end)).toString('base64'),
      },
    };
  };
}

/** The fields of types that `gh` asks for before it uses them. */
const TYPES: Readonly<Record<string, readonly string[]>> = {
  Issue: ['number', 'title', 'body', 'url', 'state'],
  Repository: ['name', 'visibility'],
  PullRequest: ['number', 'title', 'url', 'state'],
};
const NONE = connection([]);
