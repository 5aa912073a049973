import type { Named } from './github-places';
import {
  accountTag,
  enterpriseTag,
  listTag,
  profileTag,
  REPOSITORIES_BY_ID,
  repositoryTag,
  teamTag,
  viewerTag,
} from './github-tags';
import { everythingOf } from './github-writes';
import { accessChanged } from './repository-effects';
import { changeOf, listsOf, settingsChanged, viewerTags, type Subject } from './webhook-effects';
import { isId, namesAt, textAt, valueAt } from './webhook-payload';

/** The changes of events about an organization, a team, an installation or what an account owns beside repositories. */

/** Lists that show who belongs to an organization. */
const MEMBER_LISTS = [
  ...['members', 'public_members', 'memberships', 'outside_collaborators', 'invitations', 'failed_invitations'],
  ...['teams', 'blocks', 'organization-roles'],
];
const MEMBER_CAME_OR_WENT: ReadonlySet<string> = new Set(['member_added', 'member_removed']);

export function teamChanged(subject: Subject): readonly string[] {
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
export function teamMemberChanged(subject: Subject): readonly string[] {
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

export function organizationChanged({ payload, action, organizations }: Subject): readonly string[] {
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

/** Everything stored for accounts, by the previous name too. */
export function renamedOrGone(accounts: readonly Named[], payload: unknown): readonly string[] {
  const before = textAt(payload, 'changes', 'login', 'from');
  return [...everythingOf(...accounts, ...(before === undefined ? [] : [before])), ...viewerTags('installations')];
}

/**
 * Each action of `installation` gives access or ends it: to the account too, and to repositories that the event does not name, for it names
 * those that were chosen one by one only.
 */
export function wholeInstallationChanged({ payload }: Subject): readonly string[] {
  return [...namesAt(payload, 'login', 'installation', 'account').map(accountTag), REPOSITORIES_BY_ID];
}

/** The access of an installation has changed: stored responses or 404s of the repositories concerned may be wrong. */
export function installationRepositoriesChanged({ payload }: Subject): readonly string[] {
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

export function projectChanged(subject: Subject): readonly string[] {
  const owners = ['projects_v2', 'projects_v2_item'].flatMap((name) =>
    namesAt(subject.payload, 'login', name, 'owner'),
  );
  return [...listsOf('projectsv2')(subject), ...owners.map((owner) => listTag(owner, 'projectsv2'))];
}

export function propertyChanged(subject: Subject): readonly string[] {
  const enterprise = textAt(subject.payload, 'enterprise', 'slug');
  return [
    ...listsOf('properties')(subject),
    ...settingsChanged(subject),
    ...changeOf(['self', 'other'])(subject),
    ...(enterprise === undefined ? [] : [enterpriseTag(enterprise)]),
  ];
}

export function packageChanged(subject: Subject): readonly string[] {
  const owners = ['package', 'registry_package'].flatMap((name) => namesAt(subject.payload, 'login', name, 'owner'));
  return [
    ...listsOf('packages')(subject),
    ...owners.map((owner) => listTag(owner, 'packages')),
    ...viewerTags('packages'),
  ];
}
