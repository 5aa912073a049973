import {
  accountTag,
  CHANGES,
  listTag,
  ownedBy,
  profileTag,
  repositoryChange,
  repositoryTag,
  teamTag,
  viewerTag,
  type Named,
  type RepositoryArea,
} from './github-tags';

/*
 * What an event of GitHub changes, as the tags of what is stored of it, by name and by id
 * (https://docs.github.com/en/webhooks/webhook-events-and-payloads).
 */

/** What an event tells, with the names that most events have. */
interface Told {
  readonly payload: unknown;
  readonly action: string;
  readonly repositories: readonly Named[];
  readonly owners: readonly Named[];
  readonly organizations: readonly Named[];
}

type Effect = (told: Told) => readonly string[];

const EFFECTS: Readonly<Record<string, Effect>> = {
  ping: () => [],
  ...forEvents(['push', 'create', 'delete', 'commit_comment', 'gollum'], changeOf(CHANGES.code)),
  ...forEvents(
    ['branch_protection_rule', 'branch_protection_configuration', 'repository_ruleset'],
    changeOf(CHANGES.code),
  ),
  ...forEvents(['issues', 'issue_comment', 'label', 'milestone', 'sub_issues'], changeOf(CHANGES.issues)),
  ...forEvents(
    ['pull_request', 'pull_request_review', 'pull_request_review_comment'],
    changeOf(['pulls', 'issues', 'self']),
  ),
  pull_request_review_thread: changeOf(['pulls']),
  release: changeOf(CHANGES.releases),
  ...forEvents(['workflow_run', 'workflow_job', 'check_run', 'check_suite', 'status'], changeOf(CHANGES.runs)),
  ...forEvents(['page_build', 'deployment', 'deployment_status'], changeOf(CHANGES.runs)),
  ...forEvents(['deployment_review', 'deployment_protection_rule'], changeOf(CHANGES.runs)),
  deploy_key: changeOf(CHANGES.people),
  ...forEvents(['star', 'watch'], starred),
  fork: forked,
  ...forEvents(['repository', 'public'], repositoryChanged),
  member: collaboratorChanged,
  ...forEvents(['team', 'team_add'], teamChanged),
  membership: teamMemberChanged,
  organization: organizationChanged,
  ...forEvents(['installation', 'installation_repositories'], installationChanged),
  installation_target: ({ payload }) => everythingOf(namesAt(payload, 'login', 'account'), payload),
};

/** Every event that is known: the others are accepted, and change nothing. */
export const KNOWN_EVENTS: readonly string[] = Object.keys(EFFECTS);

/** Actions of `repository` after which all that was stored of it is another thing, or nobody's. */
const WHOLE_REPOSITORY: ReadonlySet<string> = new Set([
  ...['created', 'deleted', 'renamed', 'transferred', 'privatized', 'publicized', 'archived', 'unarchived'],
]);
/** What else an edit of a repository changes, by the name that `changes` has for it. */
const EDITS: Readonly<Record<string, RepositoryArea>> = { default_branch: 'code', topics: 'code' };
/** Lists that tell who belongs to an organization. */
const MEMBER_LISTS = ['members', 'public_members', 'memberships', 'outside_collaborators', 'invitations', 'teams'];

/** The tags of what the event changes; undefined for an event that is not known, none for one that changes nothing stored. */
export function tagsOfEvent(event: string, payload: unknown): readonly string[] | undefined {
  if (!Object.hasOwn(EFFECTS, event)) return undefined;
  const told: Told = {
    payload,
    action: event === 'public' ? 'publicized' : (textAt(payload, 'action') ?? ''),
    repositories: namesAt(payload, 'full_name', 'repository'),
    owners: namesAt(payload, 'login', 'repository', 'owner'),
    organizations: namesAt(payload, 'login', 'organization'),
  };
  return [...new Set(EFFECTS[event]?.(told))];
}

function changeOf(areas: readonly RepositoryArea[]): Effect {
  return ({ repositories, owners }) => repositoryChange(repositories, areas, ...owners);
}

function starred(told: Told): readonly string[] {
  const senders = namesAt(told.payload, 'login', 'sender');
  return [
    ...changeOf(CHANGES.stars)(told),
    ...senders.map((account) => listTag(account, 'starred')),
    viewerTag('starred'),
  ];
}

/** The fork is a repository like one that is created: under its name there may be a stored 404. */
function forked(told: Told): readonly string[] {
  return [
    ...changeOf(CHANGES.forks)(told),
    ...namesAt(told.payload, 'full_name', 'forkee').map(repositoryTag),
    ...ownedBy(...namesAt(told.payload, 'login', 'forkee', 'owner')),
  ];
}

function repositoryChanged(told: Told): readonly string[] {
  const { payload, action, repositories, owners } = told;
  if (!WHOLE_REPOSITORY.has(action)) {
    const changes = valueAt(payload, 'changes');
    const edited = Object.entries(EDITS).flatMap(([name, area]) =>
      valueAt(changes, name) === undefined ? [] : [area],
    );
    return changeOf([...new Set([...CHANGES.self, ...edited])])(told);
  }
  const [login = '', name = ''] = (textAt(payload, 'repository', 'full_name') ?? '').split('/');
  const before = ['user', 'organization'].flatMap((kind) =>
    namesAt(payload, 'login', 'changes', 'owner', 'from', kind),
  );
  const oldLogin = before.find((owner) => typeof owner === 'string') ?? login;
  const oldName = `${oldLogin}/${textAt(payload, 'changes', 'repository', 'name', 'from') ?? name}`;
  const names = login === '' ? repositories : [...repositories, oldName];
  return names.length === 0 ? [] : [...names.map(repositoryTag), ...ownedBy(...owners, ...before)];
}

/** Who may do what is told by the repository itself as well; of a private one, whoever comes or goes sees all or nothing. */
function accessChanged(told: Told): readonly string[] {
  const { payload, repositories } = told;
  return [
    ...changeOf([...CHANGES.people, ...CHANGES.self])(told),
    ...(valueAt(payload, 'repository', 'private') === true ? repositories.map(repositoryTag) : []),
  ];
}

function collaboratorChanged(told: Told): readonly string[] {
  return [
    ...accessChanged(told),
    ...told.owners.map((owner) => listTag(owner, 'outside_collaborators')),
    ...namesAt(told.payload, 'login', 'member').map((account) => listTag(account, 'repos')),
  ];
}

function teamChanged(told: Told): readonly string[] {
  const { payload, organizations } = told;
  const ids = [valueAt(payload, 'team', 'id'), valueAt(payload, 'team', 'parent', 'id')];
  return [
    ...organizations.map((organization) => listTag(organization, 'teams')),
    ...ids.filter(isId).map((id) => teamTag(String(id))),
    viewerTag('teams'),
    ...accessChanged(told),
  ];
}

function teamMemberChanged(told: Told): readonly string[] {
  return [
    ...teamChanged(told),
    ...told.organizations.map((organization) => listTag(organization, 'members')),
    viewerTag('repos'),
  ];
}

function organizationChanged({ payload, action, organizations }: Told): readonly string[] {
  if (action === 'renamed' || action === 'deleted') return everythingOf(organizations, payload);
  const users = namesAt(payload, 'login', 'membership', 'user');
  return [
    ...organizations.flatMap((organization) => [
      profileTag(organization),
      ...MEMBER_LISTS.map((list) => listTag(organization, list)),
    ]),
    ...users.map((user) => listTag(user, 'orgs')),
    ...['orgs', 'memberships', 'teams', 'repos'].map(viewerTag),
  ];
}

/** All that is stored of accounts, by the name of before too. */
function everythingOf(accounts: readonly Named[], payload: unknown): readonly string[] {
  const before = textAt(payload, 'changes', 'login', 'from');
  return [
    ...[...accounts, ...(before === undefined ? [] : [before])].map(accountTag),
    ...['orgs', 'memberships', 'teams', 'repos', 'installations'].map(viewerTag),
  ];
}

/** What an installation may see has changed: of the repositories that came or went there may be answers or stored 404s. */
function installationChanged({ payload }: Told): readonly string[] {
  const accounts = namesAt(payload, 'login', 'installation', 'account');
  const repositories = ['repositories', 'repositories_added', 'repositories_removed'].flatMap((list) => {
    const found = valueAt(payload, list);
    return Array.isArray(found) ? found.flatMap((one) => namesAt(one, 'full_name')) : [];
  });
  return [
    ...accounts.flatMap((account) => ['repos', 'installation', 'installations'].map((list) => listTag(account, list))),
    ...['installations', 'repos'].map(viewerTag),
    ...repositories.map(repositoryTag),
  ];
}

function forEvents(events: readonly string[], effect: Effect): Record<string, Effect> {
  return Object.fromEntries(events.map((event) => [event, effect]));
}

/** What the object at a path of members is called: its name and its id, as far as it has them. */
function namesAt(payload: unknown, name: string, ...path: readonly string[]): readonly Named[] {
  const text = textAt(payload, ...path, name);
  const id = valueAt(payload, ...path, 'id');
  return [...(text === undefined ? [] : [text]), ...(isId(id) ? [{ id: String(id) }] : [])];
}

function isId(value: unknown): value is number {
  return Number.isSafeInteger(value);
}

function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = valueAt(value, ...path);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

/** What is at a path of members, if everything on the way is an object's own member. */
function valueAt(value: unknown, ...path: readonly string[]): unknown {
  let at: unknown = value;
  for (const name of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return at;
}
