/*
 * The tags of what GitLab has under a path. A project has two names, its id and its path (https://docs.gitlab.com/api/rest/#namespaced-paths), and a
 * request has one of them.
 *
 * The invariant: a change of a project removes the responses by the name that it was given, and those by the other name: of that project where the
 * other name is known, else of all projects by names of that kind.
 */

/** Words below a project that change together; everything else is `self`. */
const WORDS = {
  code: /^repository$/,
  ci: /^(?:pipelines?|pipeline_schedules|jobs|statuses|triggers?|variables|runners|environments|deployments)$/,
  issues: /^(?:issues|issues_statistics|labels|milestones|boards)$/,
  merge_requests: /^merge_requests$/,
  packages: /^(?:packages|registry)$/,
};
export type Area = keyof typeof WORDS | 'self';
export const AREAS: readonly Area[] = ['code', 'ci', 'issues', 'merge_requests', 'packages', 'self'];

/** What a change in an area may change: a push closes issues, a merge is a push, commits and merge requests show their pipeline. */
export const CHANGES: Readonly<Record<Area, readonly Area[]>> = {
  ...{ code: AREAS, merge_requests: AREAS, self: AREAS, ci: ['ci', 'code', 'merge_requests'] },
  ...{ issues: ['issues', 'merge_requests', 'self'], packages: ['packages', 'self'] },
};

/** Everything that is not below a project: lists over several, groups, users. */
export const LISTS = 'lists';
/** Writes outside of a project that change no project there is. Others may rename one, or end somebody's access. */
const ONLY_LISTS = /^\/(?:projects|todos|snippets|user|markdown)(?:\/|$)/;
/** Writes that change other projects, or a project's path, which has stored responses before and after. */
const WIDE = /^\/projects\/[^/]+(?:\/(?:transfer|.*\/(?:links|blocks|move|clone|related_issues)(?:\/.*)?))?\/?$/;

/** GitLab takes `/projects/42/issues.json` and `/projects/042/issues` for `/projects/42/issues`. */
const FORMAT = /\.(?:json|txt)$/;
const LEADING_ZEROS = /^0+(?=\d+$)/;

function placeOf(path: string): { readonly name: string; readonly area: Area } | undefined {
  const [, kind, project = '', below = ''] = path.split('/');
  if (kind !== 'projects' || project === '') return undefined;
  const word = below.replace(FORMAT, '');
  const area = AREAS.find((one) => one !== 'self' && WORDS[one].test(word)) ?? 'self';
  const name = project.replaceAll('%2F', '/').replace(LEADING_ZEROS, '');
  return { name: name.toLowerCase(), area };
}

const isWhole = (path: string): boolean => /^\/[^/]+\/[^/]+$/.test(path);
const isId = (name: string): boolean => /^\d+$/.test(name);
const byKind = (kind: 'id' | 'path', areas: readonly Area[]): string[] => areas.map((area) => `by-${kind}:${area}`);
const named = (name: string, areas: readonly Area[]): string[] => areas.map((area) => `project:${name}:${area}`);

export function gitlabTags(path: string): readonly string[] {
  const place = placeOf(path);
  if (!place) return [LISTS];
  const { name, area } = place;
  const tags = [`project:${name}`, ...named(name, [area]), ...byKind(isId(name) ? 'id' : 'path', [area])];
  // `/projects/42.json` is the project 42, or one of that name.
  return isWhole(path) && FORMAT.test(name) ? [...tags, ...gitlabTags(path.replace(FORMAT, ''))] : tags;
}

/** The tags of changes in areas of one project, by the names that are known. */
export function changesOf(names: readonly string[], areas: readonly Area[]): readonly string[] {
  const ofKinds = [
    ...(names.some(isId) ? [] : byKind('id', areas)),
    ...(names.every(isId) ? byKind('path', areas) : []),
  ];
  return [...names.flatMap((name) => named(name.toLowerCase(), areas)), ...ofKinds];
}

/** The tags of a project's other name, which is unknown: all of that kind. */
export function synonymsOf(tag: string): readonly string[] {
  const [, name, only] = /^project:([^:]+)(?::(\w+))?$/.exec(tag) ?? [];
  const areas = AREAS.filter((area) => only === undefined || only === area);
  return name === undefined ? [] : byKind(isId(name) ? 'path' : 'id', areas);
}

export function tagsOfWrite(path: string): readonly string[] {
  const place = placeOf(path);
  return place ? named(place.name, CHANGES[place.area]) : [];
}

/** By the answer to a write, which may have both names. Undefined for any change. */
export function tagsOfAnswer(path: string, answer: unknown): readonly string[] | undefined {
  const place = placeOf(path);
  if (!place && !ONLY_LISTS.test(path)) return undefined;
  const { name, area = 'self' } = place ?? {};
  const found = namesIn(answer);
  const isNamed = name === undefined || found.includes(name);
  return [
    ...[LISTS, ...(found.length > 0 ? changesOf(found, CHANGES[area]) : [])],
    ...(isNamed ? [] : changesOf([name], CHANGES[area])),
    ...(WIDE.test(path) ? changesOf([], AREAS) : []),
  ];
}

/** Both names of a project: of `{ "id": 7, "path_with_namespace": "group/project" }`, of `{ "project_id": 7, "references": { "full": "group/project#1" } }`. */
function namesIn(answer: unknown): readonly string[] {
  const { id, project_id = id, path_with_namespace, references } = (answer ?? {}) as Record<string, unknown>;
  const { full } = (references ?? {}) as { full?: unknown };
  const path = typeof full === 'string' ? full.split(/[#!]/, 1)[0] : path_with_namespace;
  return typeof project_id === 'number' && typeof path === 'string' ? [String(project_id), path.toLowerCase()] : [];
}
