import {
  CHANGES,
  listTag,
  profileTag,
  repositoryChange,
  repositoryTag,
  type Named,
  type RepositoryArea,
} from './github-tags';

/*
 * What an event of GitHub changes, as the tags of what is stored of it, by name and by id
 * (https://docs.github.com/en/webhooks/webhook-events-and-payloads).
 */

const AREAS: Readonly<Record<string, readonly RepositoryArea[]>> = {
  ...forEvents(['push', 'create', 'delete', 'commit_comment', 'gollum', 'branch_protection_rule'], CHANGES.code),
  ...forEvents(['issues', 'issue_comment', 'label', 'milestone', 'sub_issues'], CHANGES.issues),
  ...forEvents(['pull_request', 'pull_request_review', 'pull_request_review_comment'], ['pulls', 'issues', 'self']),
  ...forEvents(['pull_request_review_thread'], ['pulls']),
  ...forEvents(['release'], CHANGES.releases),
  ...forEvents(['star', 'watch'], CHANGES.stars),
  ...forEvents(['fork'], CHANGES.forks),
  ...forEvents(['member', 'team_add', 'deploy_key'], CHANGES.people),
  ...forEvents(['workflow_run', 'workflow_job', 'check_run', 'check_suite', 'status', 'page_build'], CHANGES.runs),
  ...forEvents(['deployment', 'deployment_status'], ['runs']),
};

/** Actions of `repository` after which all that was stored of it is another thing, or nobody's. */
const WHOLE_REPOSITORY: ReadonlySet<string> = new Set([
  ...['created', 'deleted', 'renamed', 'transferred', 'privatized', 'publicized', 'archived', 'unarchived'],
]);

/** The tags of what the event changes; undefined for an event that is not known, none for one that changes nothing stored. */
export function tagsOfEvent(event: string, payload: unknown): readonly string[] | undefined {
  const repositories = namesAt(payload, 'full_name', 'repository');
  const owners = namesAt(payload, 'login', 'repository', 'owner');
  switch (event) {
    case 'ping':
      return [];
    case 'repository':
    case 'public':
      return tagsOfRepositoryEvent(event, payload, repositories, owners);
    case 'organization':
    case 'membership':
    case 'team': {
      const organizations = namesAt(payload, 'login', 'organization');
      return [
        ...(organizations.length > 0 ? organizations : owners).flatMap((account) => [
          profileTag(account),
          listTag(account, 'members'),
          listTag(account, 'teams'),
        ]),
        ...repositoryChange(repositories, CHANGES.people),
      ];
    }
    case 'installation':
    case 'installation_repositories':
      return namesAt(payload, 'login', 'installation', 'account').map((account) => listTag(account, 'repos'));
    case 'fork':
      return [
        ...repositoryChange(repositories, CHANGES.forks, ...owners),
        ...ownedBy(namesAt(payload, 'login', 'forkee', 'owner')), // has one repository more
      ];
    case 'star':
    case 'watch':
      return [
        ...repositoryChange(repositories, CHANGES.stars, ...owners),
        ...namesAt(payload, 'login', 'sender').map((account) => listTag(account, 'starred')),
      ];
  }
  const areas = Object.hasOwn(AREAS, event) ? AREAS[event] : undefined;
  return areas && repositoryChange(repositories, areas, ...owners);
}

function tagsOfRepositoryEvent(
  event: string,
  payload: unknown,
  repositories: readonly Named[],
  owners: readonly Named[],
): readonly string[] {
  const action = event === 'public' ? 'publicized' : (textAt(payload, 'action') ?? '');
  if (!WHOLE_REPOSITORY.has(action)) return repositoryChange(repositories, ['self'], ...owners);
  const [login = '', name = ''] = (textAt(payload, 'repository', 'full_name') ?? '').split('/');
  const before = ['user', 'organization'].flatMap((kind) =>
    namesAt(payload, 'login', 'changes', 'owner', 'from', kind),
  );
  const oldLogin = before.find((owner) => typeof owner === 'string') ?? login;
  const oldName = `${oldLogin}/${textAt(payload, 'changes', 'repository', 'name', 'from') ?? name}`;
  const names = login === '' ? repositories : [...repositories, oldName.toLowerCase()];
  return [...new Set([...names.map(repositoryTag), ...ownedBy([...owners, ...before])])];
}

/** What tells of the repositories of an account: its profile counts them. */
function ownedBy(owners: readonly Named[]): readonly string[] {
  return owners.flatMap((owner) => [profileTag(owner), listTag(owner, 'repos')]);
}

function forEvents(
  events: readonly string[],
  areas: readonly RepositoryArea[],
): Record<string, readonly RepositoryArea[]> {
  return Object.fromEntries(events.map((event) => [event, areas]));
}

/** What the object at a path of members is called: its name and its id, as far as it has them. */
function namesAt(payload: unknown, name: string, ...path: readonly string[]): readonly Named[] {
  const text = textAt(payload, ...path, name);
  const id = valueAt(payload, ...path, 'id');
  return [...(text === undefined ? [] : [text]), ...(Number.isSafeInteger(id) ? [{ id: String(id) }] : [])];
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
