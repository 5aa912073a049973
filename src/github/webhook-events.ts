import type { Named } from './github-places';
import {
  accountTag,
  ADVISORIES,
  areaTag,
  enterpriseListTag,
  enterpriseTag,
  listTag,
  profileTag,
  REPOSITORIES_BY_ID,
  repositoryTag,
  settingsTag,
  teamTag,
  viewerTag,
} from './github-tags';
import { everythingOf, ownedBy, repositoryChange } from './github-writes';
import { CHANGES, type RepositoryArea } from './repository-areas';
import { isId, namesAt, textAt, valueAt } from './webhook-payload';

/**
 * The changes of GitHub's events, as tags, by name and by id (https://docs.github.com/en/webhooks/webhook-events-and-payloads).
 *
 * The invariant: every event of GitHub's description has a row here: its changes, or in `CHANGES_NOTHING` the reason why nothing stored
 * changes. `github-own-events.spec.ts` checks it, with the description and with GitHub's own example payloads.
 */

/** The names that most events have. */
interface Subject {
  readonly payload: unknown;
  readonly action: string;
  readonly repositories: readonly Named[];
  readonly owners: readonly Named[];
  readonly organizations: readonly Named[];
}

type Effect = (subject: Subject) => readonly string[];

/** Events after which nothing stored is another: nothing that GitHub's REST API shows has changed. */
export const CHANGES_NOTHING: Readonly<Record<string, string>> = {
  ping: 'says that the webhook is there',
  discussion: 'discussions are in GraphQL only',
  discussion_comment: 'discussions are in GraphQL only',
  sponsorship: 'sponsorships are in GraphQL only',
  project: 'classic projects have left the REST API',
  project_card: 'classic projects have left the REST API',
  project_column: 'classic projects have left the REST API',
};

/** The areas that a commit's checks change: a pull request shows them as its `mergeable_state`. */
const CHECKS: readonly RepositoryArea[] = [...CHANGES.runs, 'pulls'];

const EFFECTS: Readonly<Record<string, Effect>> = {
  ...forEvents(Object.keys(CHANGES_NOTHING), () => []),
  ...forEvents(['push', 'create', 'delete'], refChanged),
  ...forEvents(['commit_comment', 'gollum'], changeOf(['code', 'self'])),
  // The rules of a branch decide the `mergeable_state` of its pull requests.
  ...forEvents(['branch_protection_rule', 'branch_protection_configuration'], changeOf(CHANGES.code)),
  repository_ruleset: all(changeOf(CHANGES.code), listsOf('rulesets'), settingsChanged),
  ...forEvents(['issues', 'issue_comment', 'label', 'milestone'], all(changeOf(CHANGES.issues), issueMoved)),
  ...forEvents(['sub_issues', 'issue_dependencies'], all(changeOf(CHANGES.issues), relatedIssues)),
  ...forEvents(
    ['pull_request', 'pull_request_review', 'pull_request_review_comment'],
    changeOf(['pulls', 'issues', 'self']),
  ),
  pull_request_review_thread: changeOf(['pulls']),
  release: changeOf(CHANGES.releases),
  ...forEvents(['workflow_run', 'check_run', 'check_suite', 'status', 'deployment_status'], changeOf(CHECKS)),
  workflow_job: all(changeOf(CHANGES.runs), listsOf('actions')), // a runner is busy or idle again
  ...forEvents(['workflow_dispatch', 'repository_dispatch', 'merge_group'], changeOf(CHANGES.runs)),
  ...forEvents(['page_build', 'deployment'], changeOf(CHANGES.runs)),
  ...forEvents(['deployment_review', 'deployment_protection_rule'], changeOf(CHANGES.runs)),
  deploy_key: changeOf(CHANGES.people),
  meta: all(changeOf(CHANGES.people), listsOf('hooks')),
  ...forEvents(['star', 'watch'], starred),
  fork: forked,
  ...forEvents(['repository', 'public'], repositoryChanged),
  repository_import: ({ repositories, owners }) => [...repositories.map(repositoryTag), ...ownedBy(...owners)],
  member: collaboratorChanged,
  ...forEvents(['team', 'team_add'], teamChanged),
  membership: teamMemberChanged,
  organization: organizationChanged,
  org_block: everythingOfOrganizations, // a blocked account loses its access
  installation: all(installationRepositoriesChanged, wholeInstallationChanged),
  installation_repositories: installationRepositoriesChanged,
  installation_target: ({ payload }) => renamedOrGone(namesAt(payload, 'login', 'account'), payload),
  github_app_authorization: () => viewerTags(...CALLERS_OWN), // it ends tokens of the sender, which the event does not name
  marketplace_purchase: () => viewerTags('marketplace_purchases'),
  personal_access_token_request: listsOf('personal-access-token-requests', 'personal-access-tokens'),
  ...forEvents(['projects_v2', 'projects_v2_item', 'projects_v2_status_update'], projectChanged),
  ...forEvents(['custom_property', 'custom_property_values'], propertyChanged),
  ...forEvents(['package', 'registry_package'], packageChanged),
  ...forEvents(['code_scanning_alert'], securityChanged('code-scanning')),
  ...forEvents(['dependabot_alert', 'repository_vulnerability_alert'], securityChanged('dependabot')),
  ...forEvents(
    ['secret_scanning_alert', 'secret_scanning_alert_location', 'secret_scanning_scan'],
    securityChanged('secret-scanning'),
  ),
  repository_advisory: securityChanged('security-advisories'),
  security_and_analysis: securityChanged('code-security'),
  security_advisory: () => [ADVISORIES],
};

/** Every event that has a row. */
export const KNOWN_EVENTS: readonly string[] = Object.keys(EFFECTS);

/** Actions of `repository` after which every stored response about it is wrong. */
const WHOLE_REPOSITORY: ReadonlySet<string> = new Set([
  ...['created', 'deleted', 'renamed', 'transferred', 'privatized', 'publicized', 'archived', 'unarchived'],
]);
/** The other changes of an edited repository, by the name in `changes`. */
const EDITS: Readonly<Record<string, RepositoryArea>> = { default_branch: 'code', topics: 'code' };
/** Lists that show who belongs to an organization. */
const MEMBER_LISTS = [
  ...['members', 'public_members', 'memberships', 'outside_collaborators', 'invitations', 'failed_invitations'],
  ...['teams', 'blocks', 'organization-roles'],
];

const MEMBER_CAME_OR_WENT: ReadonlySet<string> = new Set(['member_added', 'member_removed']);
/** Lists of the caller that show what its token may see. */
const CALLERS_OWN = [
  ...['profile', 'installations', 'repos', 'orgs', 'memberships', 'teams', 'issues', 'notifications', 'starred'],
  ...['subscriptions', 'emails', 'keys', 'followers', 'following', 'gists', 'packages', 'repository_invitations'],
];

/** The changes of an event. */
export interface EventEffect {
  readonly tags: readonly string[];
  /** `stale` for an event without a row: responses about its repository or organization are validated before their next use. */
  readonly mode: 'purge' | 'stale';
  readonly isKnown: boolean;
}

export function isKnownEvent(event: string): boolean {
  return Object.hasOwn(EFFECTS, event);
}

export function effectOf(event: string, payload: unknown): EventEffect {
  const subject: Subject = {
    payload,
    action: event === 'public' ? 'publicized' : (textAt(payload, 'action') ?? ''),
    repositories: namesAt(payload, 'full_name', 'repository'),
    owners: namesAt(payload, 'login', 'repository', 'owner'),
    organizations: namesAt(payload, 'login', 'organization'),
  };
  const isKnown = isKnownEvent(event);
  const effect = (isKnown ? EFFECTS[event] : undefined) ?? unknownChange;
  return { tags: [...new Set(effect(subject))], mode: isKnown ? 'purge' : 'stale', isKnown };
}

function unknownChange({ payload, repositories, organizations }: Subject): readonly string[] {
  const enterprise = textAt(payload, 'enterprise', 'slug');
  if (repositories.length > 0) return repositories.map(repositoryTag);
  return [...organizations.map(accountTag), ...(enterprise === undefined ? [] : [enterpriseTag(enterprise)])];
}

function all(...effects: readonly Effect[]): Effect {
  return (subject) => effects.flatMap((effect) => effect(subject));
}

function changeOf(areas: readonly RepositoryArea[]): Effect {
  return ({ repositories, owners }) => repositoryChange(repositories, areas, ...owners);
}

/** Lists of the organization, or of the repository's owner. */
function listsOf(...lists: readonly string[]): Effect {
  return ({ organizations, owners }) =>
    [...organizations, ...owners].flatMap((account) => lists.map((list) => listTag(account, list)));
}

function settingsChanged({ organizations }: Subject): readonly string[] {
  return organizations.map(settingsTag);
}

function viewerTags(...lists: readonly string[]): readonly string[] {
  return lists.map(viewerTag);
}

/** A tag may have a release. */
function refChanged(subject: Subject): readonly string[] {
  const { payload } = subject;
  const isOfTag = valueAt(payload, 'ref_type') === 'tag' || textAt(payload, 'ref')?.startsWith('refs/tags/') === true;
  return changeOf(isOfTag ? [...CHANGES.code, 'releases'] : CHANGES.code)(subject);
}

/** A transferred issue is in another repository from now on. */
function issueMoved({ payload }: Subject): readonly string[] {
  return issuesAt(payload, 'changes', 'new_repository');
}

/** Issues of other repositories that are above, below, in front of or behind this one. */
function relatedIssues({ payload }: Subject): readonly string[] {
  return [
    ...['parent_issue_repo', 'sub_issue_repo', 'blocked_issue_repo', 'blocking_issue_repo'].flatMap((name) =>
      issuesAt(payload, name),
    ),
  ];
}

function issuesAt(payload: unknown, ...path: readonly string[]): readonly string[] {
  const owners = namesAt(payload, 'login', ...path, 'owner');
  return repositoryChange(namesAt(payload, 'full_name', ...path), CHANGES.issues, ...owners);
}

function starred(subject: Subject): readonly string[] {
  const senders = namesAt(subject.payload, 'login', 'sender');
  return [
    ...changeOf(CHANGES.stars)(subject),
    ...senders.flatMap((account) => ['starred', 'subscriptions'].map((list) => listTag(account, list))),
    ...viewerTags('starred', 'subscriptions'),
  ];
}

/** The fork is a repository like one that is created: under its name there may be a stored 404. */
function forked(subject: Subject): readonly string[] {
  return [
    ...changeOf(CHANGES.forks)(subject),
    ...namesAt(subject.payload, 'full_name', 'forkee').map(repositoryTag),
    ...ownedBy(...namesAt(subject.payload, 'login', 'forkee', 'owner')),
  ];
}

function repositoryChanged(subject: Subject): readonly string[] {
  const { payload, action, repositories, owners } = subject;
  if (!WHOLE_REPOSITORY.has(action)) {
    const changes = valueAt(payload, 'changes');
    const edited = Object.entries(EDITS).flatMap(([name, area]) =>
      valueAt(changes, name) === undefined ? [] : [area],
    );
    return changeOf([...new Set([...CHANGES.self, ...edited])])(subject);
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

/** The repository itself shows its permissions; for a private one, an added or removed account sees everything or nothing. */
function accessChanged(subject: Subject): readonly string[] {
  const { payload, action, repositories } = subject;
  const isWhole = valueAt(payload, 'repository', 'private') === true || /^removed/.test(action);
  return [
    ...changeOf([...CHANGES.people, ...CHANGES.self])(subject),
    ...(isWhole ? repositories.map(repositoryTag) : []),
  ];
}

function collaboratorChanged(subject: Subject): readonly string[] {
  return [
    ...accessChanged(subject),
    ...subject.owners.map((owner) => listTag(owner, 'outside_collaborators')),
    ...namesAt(subject.payload, 'login', 'member').map((account) => listTag(account, 'repos')),
    ...viewerTags('repository_invitations', 'repos'),
  ];
}

function teamChanged(subject: Subject): readonly string[] {
  const { payload, action, organizations } = subject;
  const ids = [valueAt(payload, 'team', 'id'), valueAt(payload, 'team', 'parent', 'id')];
  const slug = textAt(payload, 'team', 'slug');
  const logins = organizations.filter((name) => typeof name === 'string');
  return [
    ...organizations.map((organization) => listTag(organization, 'teams')),
    ...ids.filter(isId).map((id) => teamTag(String(id))),
    ...(slug === undefined ? [] : logins.map((login) => teamTag(`${login}/${slug}`))),
    viewerTag('teams'),
    ...accessChanged(subject),
    ...(action === 'deleted' ? everythingOf(...organizations) : []),
  ];
}

/** The member's access to what the team has begins or ends, so there may be stored 404s or answers, and its credential is not known here. */
function teamMemberChanged(subject: Subject): readonly string[] {
  const { organizations, payload } = subject;
  const members = namesAt(payload, 'login', 'member');
  return [
    ...teamChanged(subject),
    ...organizations.flatMap((organization) => ['members', 'memberships'].map((list) => listTag(organization, list))),
    ...members.map((member) => listTag(member, 'orgs')),
    ...viewerTags('repos', 'orgs', 'memberships', 'issues'),
    ...everythingOf(...organizations),
  ];
}

function organizationChanged({ payload, action, organizations }: Subject): readonly string[] {
  if (action === 'renamed' || action === 'deleted') return renamedOrGone(organizations, payload);
  const users = namesAt(payload, 'login', 'membership', 'user');
  return [
    ...organizations.flatMap((organization) => [
      profileTag(organization),
      ...MEMBER_LISTS.map((list) => listTag(organization, list)),
    ]),
    ...users.flatMap((user) => [profileTag(user), listTag(user, 'orgs'), listTag(user, 'repos')]),
    ...viewerTags('orgs', 'memberships', 'teams', 'repos', 'issues'),
    // The responses, or 404s, stored for users that left or joined are in an unknown partition: they are removed for every caller.
    ...(MEMBER_CAME_OR_WENT.has(action) ? everythingOf(...organizations) : []),
  ];
}

function everythingOfOrganizations({ organizations }: Subject): readonly string[] {
  return everythingOf(...organizations);
}

/** Everything stored for accounts, by the previous name too. */
function renamedOrGone(accounts: readonly Named[], payload: unknown): readonly string[] {
  const before = textAt(payload, 'changes', 'login', 'from');
  return [...everythingOf(...accounts, ...(before === undefined ? [] : [before])), ...viewerTags('installations')];
}

/**
 * Each action of `installation` gives access or ends it: to the account too, and to repositories that the event does not name, for it names
 * those that were chosen one by one only.
 */
function wholeInstallationChanged({ payload }: Subject): readonly string[] {
  return [...namesAt(payload, 'login', 'installation', 'account').map(accountTag), REPOSITORIES_BY_ID];
}

/** The access of an installation has changed: stored responses or 404s of the repositories concerned may be wrong. */
function installationRepositoriesChanged({ payload }: Subject): readonly string[] {
  const accounts = namesAt(payload, 'login', 'installation', 'account');
  const repositories = ['repositories', 'repositories_added', 'repositories_removed'].flatMap((list) => {
    const found = valueAt(payload, list);
    return Array.isArray(found) ? found.flatMap((one) => namesAt(one, 'full_name')) : [];
  });
  return [
    ...accounts.flatMap((account) => ['repos', 'installation', 'installations'].map((list) => listTag(account, list))),
    ...viewerTags('installations', 'repos'),
    ...repositories.map(repositoryTag),
  ];
}

function projectChanged(subject: Subject): readonly string[] {
  const owners = ['projects_v2', 'projects_v2_item'].flatMap((name) =>
    namesAt(subject.payload, 'login', name, 'owner'),
  );
  return [...listsOf('projectsv2')(subject), ...owners.map((owner) => listTag(owner, 'projectsv2'))];
}

function propertyChanged(subject: Subject): readonly string[] {
  const enterprise = textAt(subject.payload, 'enterprise', 'slug');
  return [
    ...listsOf('properties')(subject),
    ...settingsChanged(subject),
    ...changeOf(['self', 'other'])(subject),
    ...(enterprise === undefined ? [] : [enterpriseTag(enterprise)]),
  ];
}

function packageChanged(subject: Subject): readonly string[] {
  const owners = ['package', 'registry_package'].flatMap((name) => namesAt(subject.payload, 'login', name, 'owner'));
  return [
    ...listsOf('packages')(subject),
    ...owners.map((owner) => listTag(owner, 'packages')),
    ...viewerTags('packages'),
  ];
}

/** Alerts are in the organization's and the enterprise's lists, too; the event does not name the enterprise. */
function securityChanged(list: string): Effect {
  return (subject) => [
    ...changeOf(CHANGES.security)(subject),
    ...subject.repositories.map((repository) => areaTag(repository, 'other')),
    ...listsOf(list)(subject),
    enterpriseListTag(list),
  ];
}

function forEvents(events: readonly string[], effect: Effect): Record<string, Effect> {
  return Object.fromEntries(events.map((event) => [event, effect]));
}
