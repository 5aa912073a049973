/** What a request asks of GitLab's API. */
export interface GitlabRequest {
  readonly method: string;
  /** Behind `/api/v4`, decoded one by one, so that `group%2Fproject` is one. */
  readonly segments: readonly string[];
  readonly query: URLSearchParams;
  readonly body: Readonly<Record<string, unknown>>;
  /** The user of the token; undefined for none. */
  readonly user: string | undefined;
}

export interface GitlabAnswer {
  readonly status: number;
  readonly payload?: unknown;
  /** All items of a list, of which a page is sent. */
  readonly items?: readonly object[];
}

interface Issue {
  readonly iid: number;
  title: string;
  state: 'opened' | 'closed';
}

interface Project {
  readonly id: number;
  path: string;
  readonly isPrivate: boolean;
  description: string;
  readonly issues: Issue[];
  readonly notes: string[];
  readonly branches: string[];
  readonly pipelines: { readonly id: number; status: string }[];
}

const NOT_FOUND: GitlabAnswer = { status: 404, payload: { message: '404 Not Found' } };
const NO_PROJECT: GitlabAnswer = { status: 404, payload: { message: '404 Project Not Found' } };
const UNAUTHORIZED: GitlabAnswer = { status: 401, payload: { message: '401 Unauthorized' } };
const ONE_DAY = '2026-01-15T09:30:00.000Z';

/** The projects of a GitLab, and the answers about them. */
export class GitlabProjects {
  readonly all: Project[] = [
    projectOf(42, 'platform/deploy/gateway', 45),
    projectOf(43, 'platform/docs', 3),
    { ...projectOf(99, 'security/secrets', 1), isPrivate: true },
  ];

  constructor(private readonly origin: () => string) {}

  answer(asked: GitlabRequest): GitlabAnswer {
    const [kind = '', id, ...below] = asked.segments;
    const { user, method } = asked;
    switch (kind) {
      case 'version':
        return user === undefined
          ? UNAUTHORIZED
          : { status: 200, payload: { version: '18.6.0', revision: 'a1b2c3d4e5f' } };
      case 'user':
        return user === undefined ? UNAUTHORIZED : { status: 200, payload: this.userOf(user) };
      case 'issues':
        return { status: 200, items: this.all.flatMap((one) => one.issues.map((issue) => this.issueOf(one, issue))) };
      case 'projects':
        return id === undefined ? this.projects(asked) : this.below(id, below, asked);
      case 'groups':
        return { status: 200, payload: { id: 9, name: 'platform', full_path: id, visibility: 'public' } };
      default:
        return method === 'GET' ? NOT_FOUND : { status: 405, payload: { error: '405 Not Allowed' } };
    }
  }

  find(name: string): Project | undefined {
    return this.all.find(({ id, path }) => String(id) === name || path.toLowerCase() === name.toLowerCase());
  }

  private projects({ method, user, query, body }: GitlabRequest): GitlabAnswer {
    const seen = this.all.filter(({ isPrivate }) => !isPrivate || user === 'root');
    if (method === 'GET') {
      const word = query.get('search') ?? '';
      return { status: 200, items: seen.filter(({ path }) => path.includes(word)).map((one) => this.projectOf(one)) };
    }
    if (user === undefined) return UNAUTHORIZED;
    const project = projectOf(100 + this.all.length, `platform/${textOf(body['name'])}`, 0);
    this.all.push(project);
    return { status: 201, payload: this.projectOf(project) };
  }

  private below(name: string, [kind, ...rest]: readonly string[], asked: GitlabRequest): GitlabAnswer {
    const project = this.find(name);
    if (!project || (project.isPrivate && asked.user !== 'root')) return NO_PROJECT;
    const { method, user, body } = asked;
    if (method !== 'GET' && user === undefined) return UNAUTHORIZED;
    switch (kind) {
      case undefined:
        if (method === 'DELETE') this.all.splice(this.all.indexOf(project), 1);
        if (method === 'DELETE') return { status: 202, payload: { message: '202 Accepted' } };
        if (method === 'PUT') project.description = textOf(body['description'] ?? project.description);
        if (method === 'PUT') project.path = textOf(body['path'] ?? project.path);
        return { status: 200, payload: this.projectOf(project) };
      case 'issues':
        return this.issues(project, rest, asked);
      case 'pipelines':
        return { status: 200, items: project.pipelines.map((one) => this.pipelineOf(project, one)) };
      case 'variables':
        return { status: 200, items: [{ key: 'DEPLOY_KEY', value: 'of-the-project' }] };
      case 'repository':
        return this.repository(project, rest, asked);
      default:
        return NOT_FOUND;
    }
  }

  private issues(project: Project, [iid, kind]: readonly string[], { method, body }: GitlabRequest): GitlabAnswer {
    if (iid === undefined && method === 'GET')
      return { status: 200, items: project.issues.map((one) => this.issueOf(project, one)) };
    if (iid === undefined) {
      const issue: Issue = { iid: project.issues.length + 1, title: textOf(body['title']), state: 'opened' };
      project.issues.push(issue);
      return { status: 201, payload: this.issueOf(project, issue) };
    }
    const issue = project.issues.find((one) => String(one.iid) === iid);
    if (!issue) return { status: 404, payload: { message: '404 Issue Not Found' } };
    if (kind === 'notes' && method === 'POST') project.notes.push(textOf(body['body']));
    if (kind === 'notes' && method === 'POST')
      return { status: 201, payload: { id: project.notes.length, body: textOf(body['body']), project_id: project.id } };
    if (kind === 'notes') return { status: 200, items: project.notes.map((text, id) => ({ id: id + 1, body: text })) };
    if (method === 'DELETE') project.issues.splice(project.issues.indexOf(issue), 1);
    if (method === 'DELETE') return { status: 204 };
    if (method === 'PUT') issue.title = textOf(body['title'] ?? issue.title);
    if (method === 'PUT' && body['state_event'] === 'close') issue.state = 'closed';
    return { status: 200, payload: this.issueOf(project, issue) };
  }

  private repository(
    project: Project,
    [kind, ...rest]: readonly string[],
    { method, query, body }: GitlabRequest,
  ): GitlabAnswer {
    const branchOf = (name: string) => ({
      name,
      merged: false,
      protected: name === 'main',
      web_url: `${this.webUrlOf(project)}/-/tree/${name}`,
    });
    if (kind === 'files')
      return {
        status: 200,
        payload: {
          file_path: rest[0],
          ref: query.get('ref'),
          encoding: 'base64',
          content: Buffer.from(`# ${project.path}\n`).toString('base64'),
        },
      };
    if (kind !== 'branches') return NOT_FOUND;
    if (method === 'GET') return { status: 200, items: project.branches.map(branchOf) };
    if (method === 'DELETE') project.branches.splice(project.branches.indexOf(rest[0] ?? ''), 1);
    if (method === 'DELETE') return { status: 204 };
    const name = textOf(body['branch'] ?? query.get('branch'));
    project.branches.push(name);
    return { status: 201, payload: branchOf(name) };
  }

  private userOf(username: string) {
    return { id: username.length, username, name: username, state: 'active', web_url: `${this.origin()}/${username}` };
  }

  private webUrlOf({ path }: Project): string {
    return `${this.origin()}/${path}`;
  }

  private projectOf(project: Project) {
    const { id, path, description, isPrivate, issues } = project;
    return {
      ...{ id, description, name: path.split('/').at(-1), path: path.split('/').at(-1), path_with_namespace: path },
      ...{ default_branch: 'main', visibility: isPrivate ? 'private' : 'public', created_at: ONE_DAY },
      ...{
        web_url: this.webUrlOf(project),
        open_issues_count: issues.filter(({ state }) => state === 'opened').length,
      },
      _links: {
        self: `${this.origin()}/api/v4/projects/${id}`,
        issues: `${this.origin()}/api/v4/projects/${id}/issues`,
      },
    };
  }

  private issueOf(project: Project, { iid, title, state }: Issue) {
    const full = `${project.path}#${iid}`;
    return {
      ...{ id: project.id * 1_000 + iid, iid, project_id: project.id, title, state, created_at: ONE_DAY },
      ...{
        references: { short: `#${iid}`, relative: `#${iid}`, full },
        web_url: `${this.webUrlOf(project)}/-/issues/${iid}`,
      },
    };
  }

  private pipelineOf(project: Project, { id, status }: { readonly id: number; readonly status: string }) {
    return {
      id,
      iid: id,
      project_id: project.id,
      status,
      ref: 'main',
      web_url: `${this.webUrlOf(project)}/-/pipelines/${id}`,
    };
  }
}

function projectOf(id: number, path: string, issues: number): Project {
  const list = Array.from({ length: issues }, (_, at): Issue => ({
    iid: at + 1,
    title: `Issue ${at + 1}`,
    state: 'opened',
  }));
  const pipelines = [{ id: id * 10, status: 'running' }];
  return {
    ...{ id, path, isPrivate: false, description: `About ${path}`, issues: list, notes: [] },
    branches: ['main'],
    pipelines,
  };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
