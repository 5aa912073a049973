import { areaTag, listTag, profileTag, repositoryTag, type RepositoryArea } from './github-tags';

/*
 * What an event of GitHub changes, as the tags of what is stored of it
 * (https://docs.github.com/en/webhooks/webhook-events-and-payloads).
 */

const AREAS: Readonly<Record<string, readonly RepositoryArea[]>> = {
  ...forEvents(['push', 'create', 'delete', 'commit_comment', 'gollum', 'branch_protection_rule'], 'code', 'self'),
  ...forEvents(['issues', 'issue_comment', 'label', 'milestone'], 'issues', 'self'),
  ...forEvents(['pull_request', 'pull_request_review', 'pull_request_review_comment'], 'pulls', 'issues', 'self'),
  ...forEvents(['pull_request_review_thread'], 'pulls'),
  ...forEvents(['release'], 'releases', 'code'),
  ...forEvents(['star', 'watch'], 'stars', 'self'),
  ...forEvents(['fork'], 'forks', 'self'),
  ...forEvents(['member', 'team_add', 'deploy_key'], 'people'),
  ...forEvents(['workflow_run', 'workflow_job', 'check_run', 'check_suite', 'status', 'page_build'], 'runs', 'code'),
  ...forEvents(['deployment', 'deployment_status'], 'runs'),
};

/** Actions of `repository` after which all that was stored of it is another thing, or nobody's. */
const WHOLE_REPOSITORY: ReadonlySet<string> = new Set([
  ...['created', 'deleted', 'renamed', 'transferred', 'privatized', 'publicized', 'archived', 'unarchived'],
]);

/** The tags of what the event changes; undefined for an event that is not known, none for one that changes nothing stored. */
export function tagsOfEvent(event: string, payload: unknown): readonly string[] | undefined {
  const repository = textAt(payload, 'repository', 'full_name');
  const owner = textAt(payload, 'repository', 'owner', 'login');
  const organization = textAt(payload, 'organization', 'login');
  if (event === 'ping') return [];
  if (event === 'repository' || event === 'public') return tagsOfRepositoryEvent(event, payload, repository, owner);
  if (event === 'organization' || event === 'membership' || event === 'team') {
    const account = organization ?? owner;
    return account === undefined
      ? []
      : [
          profileTag(account),
          listTag(account, 'members'),
          listTag(account, 'teams'),
          ...areasOf(repository, ['people']),
        ];
  }
  if (event === 'installation' || event === 'installation_repositories') {
    const account = textAt(payload, 'installation', 'account', 'login');
    return account === undefined ? [] : [listTag(account, 'repos')];
  }
  const areas = AREAS[event];
  return areas && areasOf(repository, areas);
}

function tagsOfRepositoryEvent(
  event: string,
  payload: unknown,
  repository: string | undefined,
  owner: string | undefined,
): readonly string[] {
  if (repository === undefined || owner === undefined) return [];
  const action = event === 'public' ? 'publicized' : (textAt(payload, 'action') ?? '');
  if (!WHOLE_REPOSITORY.has(action)) return areasOf(repository, ['self']);
  const oldName = textAt(payload, 'changes', 'repository', 'name', 'from');
  const oldOwner =
    textAt(payload, 'changes', 'owner', 'from', 'user', 'login') ??
    textAt(payload, 'changes', 'owner', 'from', 'organization', 'login');
  const shortName = repository.split('/')[1] ?? '';
  const names = [repository, `${oldOwner ?? owner}/${oldName ?? shortName}`];
  const owners = [...new Set([owner, oldOwner ?? owner])];
  return [
    ...new Set(names.map(repositoryTag)),
    ...owners.flatMap((account) => [profileTag(account), listTag(account, 'repos')]),
  ];
}

function areasOf(repository: string | undefined, areas: readonly RepositoryArea[]): readonly string[] {
  return repository === undefined ? [] : areas.map((area) => areaTag(repository, area));
}

function forEvents(events: readonly string[], ...areas: readonly RepositoryArea[]): Record<string, RepositoryArea[]> {
  return Object.fromEntries(events.map((event) => [event, [...areas]]));
}

/** The text at a path of members, if everything on the way is an object's own member. */
function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  let at: unknown = value;
  for (const name of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined;
    at = (at as Record<string, unknown>)[name];
  }
  return typeof at === 'string' && at !== '' ? at : undefined;
}
