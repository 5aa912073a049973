import { tagOfAccount } from '../cache';
import { placeOf, type Named, type Place } from './github-places';
import { areasOf, OWNER_SETTINGS, type RepositoryArea } from './repository-areas';

/*
 * The tags of what GitHub has under a path. Events (`webhook-events.ts`) and writes (`github-writes.ts`) purge by the same tags. Names
 * know no case.
 *
 * The invariant: a read carries a tag of every account, organization, repository, team, enterprise and gist that its path names, so
 * that one purge of the thing removes every answer about it. `github-description.spec.ts` holds it for all of GitHub's paths.
 */

/** The account itself, with the number of its repositories. */
export function profileTag(account: Named): string {
  return `profile:${wordOf(account)}`;
}

/** A list of an account, such as `repos` or `members`. */
export function listTag(account: Named, list: string): string {
  return `list:${wordOf(account)}:${list.toLowerCase()}`;
}

/** Everything that is stored of an account and of its repositories, as far as the path names it so. */
export function accountTag(account: Named): string {
  return tagOfAccount(wordOf(account));
}

/** What repositories show of their owner's settings: rulesets, permissions of Actions, secrets, custom properties. */
export function settingsTag(account: Named): string {
  return `settings:${wordOf(account)}`;
}

/** A team, by its id or by `org/slug`. */
export function teamTag(team: string): string {
  return `team:${team.toLowerCase()}`;
}

export function enterpriseTag(enterprise: string): string {
  return `enterprise:${enterprise.toLowerCase()}`;
}

/** A list of every enterprise, such as `dependabot`: an event of a repository does not name the enterprise. */
export function enterpriseListTag(list: string): string {
  return `enterprises:${list}`;
}

export function gistTag(gist: string): string {
  return `gist:${gist.toLowerCase()}`;
}

/** A list of the caller (`/user/repos`), or `profile`. The callers share the tag: an event does not say whose list it changes. */
export function viewerTag(list: string): string {
  return `viewer:${list.toLowerCase()}`;
}

/** A list of every account, or `profile`: a write to the caller's own does not name the caller. */
export function anyonesTag(list: string): string {
  return `anyone:${list}`;
}

/** What callers change of their own account, which is at `/users/NAME` for everybody else. */
const CHANGED_BY_CALLERS: ReadonlySet<string> = new Set([
  ...['profile', 'repos', 'starred', 'subscriptions', 'following', 'orgs', 'packages'],
  ...['keys', 'gpg_keys', 'ssh_signing_keys', 'social_accounts'],
]);

/** The tags of a list of the caller, where it is the caller's and where it is at `/users/NAME`. */
export function callersListTags(list: string): readonly string[] {
  return CHANGED_BY_CALLERS.has(list) ? [viewerTag(list), anyonesTag(list)] : [viewerTag(list)];
}

/** Everything that is stored of a repository. */
export function repositoryTag(repository: Named): string {
  return `repo:${wordOf(repository)}`;
}

export function areaTag(repository: Named, area: RepositoryArea): string {
  return `repo:${wordOf(repository)}:${area}`;
}

/** Every response about a repository or an account that was requested by id: a write by name does not contain the id. */
export const REPOSITORIES_BY_ID = 'repo:by-id';
export const ACCOUNTS_BY_ID = 'account:by-id';
/** Every answer about teams: a write by a team's id does not name its organization. */
export const TEAMS = 'teams';
/** Every list of gists: a write to a gist does not name its owner. */
export const GISTS = 'gists';
/** The global security advisories. */
export const ADVISORIES = 'advisories';

function wordOf(named: Named): string {
  return typeof named === 'string' ? named.toLowerCase() : `id=${named.id}`;
}

/** The tags of what GitHub has under a path. */
export function githubTags(path: string): readonly string[] {
  const place = placeOf(path);
  if (!place) return [];
  const others = place.others.flatMap((other) =>
    other.kind === 'account'
      ? [accountTag(other.named)]
      : [...(other.owner === undefined ? [] : [accountTag(other.owner)]), repositoryTag(other.named)],
  );
  const tags = [...tagsOfPlace(place), ...others];
  return others.length === 0 ? tags : [...new Set(tags)];
}

function tagsOfPlace(place: Place): readonly string[] {
  switch (place.kind) {
    case 'viewer':
      return place.lists.map(viewerTag);
    case 'advisories':
      return [ADVISORIES];
    case 'team':
      return [teamTag(place.id), TEAMS];
    case 'enterprise':
      return [enterpriseTag(place.name), enterpriseListTag(place.below)];
    case 'gist':
      return place.id === undefined ? [GISTS, viewerTag('gists')] : [gistTag(place.id)];
    case 'account': {
      const { named, below, team } = place;
      const list = below === '' ? 'profile' : below;
      return [
        ...[accountTag(named), below === '' ? profileTag(named) : listTag(named, below)],
        ...(CHANGED_BY_CALLERS.has(list) ? [anyonesTag(list)] : []),
        ...(typeof named === 'string' ? [] : [ACCOUNTS_BY_ID]),
        ...(below === 'teams' ? [TEAMS] : []),
        ...(below === 'gists' ? [GISTS] : []),
        ...(team === undefined ? [] : [teamTag(team)]),
      ];
    }
    case 'repository': {
      const { named, owner, below, rest, lists } = place;
      return [
        ...(owner === undefined ? [REPOSITORIES_BY_ID] : [accountTag(owner)]),
        repositoryTag(named),
        ...areasOf(below, rest).map((area) => areaTag(named, area)),
        ...(owner !== undefined && OWNER_SETTINGS.has(below) ? [settingsTag(owner)] : []),
        ...(below === 'teams' ? [TEAMS, ...(owner === undefined ? [] : [listTag(owner, 'teams')])] : []),
        ...lists.map(viewerTag),
      ];
    }
  }
}
