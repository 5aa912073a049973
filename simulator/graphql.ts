import { repositoryId, type Account, type Catalogue, type Issue } from './catalogue';
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
    return {
      id: Buffer.from(`010:Repository${repositoryId(key)}`).toString('base64'),
      databaseId: repositoryId(key),
      name: found.name,
      nameWithOwner: `${found.owner.login}/${found.name}`,
      stargazerCount: this.catalogue.starsOf(key),
      issues: { totalCount: issues.length },
      issue: ({ number }: Node) => {
        const one = issues[Number(number) - 1];
        return one && this.issueNode(fullName, one);
      },
    };
  }

  private issueNode(fullName: string, { number, title, body, state }: Issue): Node {
    const url = `https://github.com/${fullName}/issues/${number}`;
    return {
      id: Buffer.from(`05:Issue${repositoryId(`${fullName}#${number}`)}`).toString('base64'),
      number,
      title,
      body,
      url,
      state: state.toUpperCase(),
    };
  }
}

function userNode({ login, id, name, publicRepos }: Account): Node {
  const nodeId = Buffer.from(`04:User${id}`).toString('base64');
  return { id: nodeId, databaseId: id, login, name, repositories: { totalCount: publicRepos } };
}

/** What a field selects of an object. */
function select(node: Node, { name, args, fields }: Field): unknown {
  const member = node[name];
  if (member === undefined) throw new Error(`Field '${name}' doesn't exist`);
  const value: unknown = typeof member === 'function' ? (member as (args: Node) => unknown)(args) : member;
  if (value === undefined || value === null) return null;
  if (fields.length === 0) return value;
  return Object.fromEntries(fields.map((field) => [field.alias, select(value as Node, field)]));
}
