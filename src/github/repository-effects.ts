import { areaTag, enterpriseListTag, listTag, repositoryTag } from './github-tags';
import { ownedBy, repositoryChange } from './github-writes';
import { CHANGES, type RepositoryArea } from './repository-areas';
import { changeOf, listsOf, viewerTags, type Effect, type Subject } from './webhook-effects';
import { namesAt, textAt, valueAt } from './webhook-payload';

/** The changes of events about a repository. */

/** Actions of `repository` after which every stored response about it is wrong. */
const WHOLE_REPOSITORY: ReadonlySet<string> = new Set([
  ...['created', 'deleted', 'renamed', 'transferred', 'privatized', 'publicized', 'archived', 'unarchived'],
]);
/** The other changes of an edited repository, by the name in `changes`. */
const EDITS: Readonly<Record<string, RepositoryArea>> = { default_branch: 'code', topics: 'code' };

/** A tag may have a release. */
export function refChanged(subject: Subject): readonly string[] {
  const { payload } = subject;
  const isOfTag = valueAt(payload, 'ref_type') === 'tag' || textAt(payload, 'ref')?.startsWith('refs/tags/') === true;
  return changeOf(isOfTag ? [...CHANGES.code, 'releases'] : CHANGES.code)(subject);
}

/** A transferred issue is in another repository from now on. */
export function issueMoved({ payload }: Subject): readonly string[] {
  return issuesAt(payload, 'changes', 'new_repository');
}

/** Issues of other repositories that are above, below, in front of or behind this one. */
export function relatedIssues({ payload }: Subject): readonly string[] {
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

export function starred(subject: Subject): readonly string[] {
  const senders = namesAt(subject.payload, 'login', 'sender');
  return [
    ...changeOf(CHANGES.stars)(subject),
    ...senders.flatMap((account) => ['starred', 'subscriptions'].map((list) => listTag(account, list))),
    ...viewerTags('starred', 'subscriptions'),
  ];
}

/** The fork is a repository like one that is created: under its name there may be a stored 404. */
export function forked(subject: Subject): readonly string[] {
  return [
    ...changeOf(CHANGES.forks)(subject),
    ...namesAt(subject.payload, 'full_name', 'forkee').map(repositoryTag),
    ...ownedBy(...namesAt(subject.payload, 'login', 'forkee', 'owner')),
  ];
}

export function repositoryChanged(subject: Subject): readonly string[] {
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
export function accessChanged(subject: Subject): readonly string[] {
  const { payload, action, repositories } = subject;
  const isWhole = valueAt(payload, 'repository', 'private') === true || /^removed/.test(action);
  return [
    ...changeOf([...CHANGES.people, ...CHANGES.self])(subject),
    ...(isWhole ? repositories.map(repositoryTag) : []),
  ];
}

export function collaboratorChanged(subject: Subject): readonly string[] {
  return [
    ...accessChanged(subject),
    ...subject.owners.map((owner) => listTag(owner, 'outside_collaborators')),
    ...namesAt(subject.payload, 'login', 'member').map((account) => listTag(account, 'repos')),
    ...viewerTags('repository_invitations', 'repos'),
  ];
}

/** Alerts are in the organization's and the enterprise's lists, too; the event does not name the enterprise. */
export function securityChanged(list: string): Effect {
  return (subject) => [
    ...changeOf(CHANGES.security)(subject),
    ...subject.repositories.map((repository) => areaTag(repository, 'other')),
    ...listsOf(list)(subject),
    enterpriseListTag(list),
  ];
}
