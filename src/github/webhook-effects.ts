import type { Named } from './github-places';
import { listTag, settingsTag, viewerTag } from './github-tags';
import { everythingOf, repositoryChange } from './github-writes';
import type { RepositoryArea } from './repository-areas';

/** What the effects of events are made of: each gives the tags of what an event has changed. */

/** The names that most events have. */
export interface Subject {
  readonly payload: unknown;
  readonly action: string;
  readonly repositories: readonly Named[];
  readonly owners: readonly Named[];
  readonly organizations: readonly Named[];
}

export type Effect = (subject: Subject) => readonly string[];

export function all(...effects: readonly Effect[]): Effect {
  return (subject) => effects.flatMap((effect) => effect(subject));
}

export function changeOf(areas: readonly RepositoryArea[]): Effect {
  return ({ repositories, owners }) => repositoryChange(repositories, areas, ...owners);
}

/** Lists of the organization, or of the repository's owner. */
export function listsOf(...lists: readonly string[]): Effect {
  return ({ organizations, owners }) =>
    [...organizations, ...owners].flatMap((account) => lists.map((list) => listTag(account, list)));
}

export function settingsChanged({ organizations }: Subject): readonly string[] {
  return organizations.map(settingsTag);
}

export function viewerTags(...lists: readonly string[]): readonly string[] {
  return lists.map(viewerTag);
}

export function everythingOfOrganizations({ organizations }: Subject): readonly string[] {
  return everythingOf(...organizations);
}
