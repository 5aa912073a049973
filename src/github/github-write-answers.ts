import { placeOf, type AccountPlace, type RepositoryPlace } from './github-places';
import { accountTag, ACCOUNTS_BY_ID, listTag, REPOSITORIES_BY_ID, repositoryTag, viewerTag } from './github-tags';
import { MAKES_REPOSITORY } from './github-write-bodies';
import { changesNothing, EVERYTHING, githubTagsOfWrite, GRAPHQL, ownedBy } from './github-writes';
import { mayMutate, mutationWords } from '../upstream';
import { namesIn, repositoryName } from './named-in-json';
import { textAt, valueAt } from './webhook-payload';

/**
 * The changes that only the answer to a write reveals: the name of a thing written by its id, the owner of a new repository, and the
 * objects of a GraphQL mutation.
 *
 * The invariant: an answer that lacks a name it should have yields undefined, never a guess; the tags of any answer are bounded.
 */

/** The tags of a write's changes, from its answer as parsed JSON; undefined where it does not contain them. */
export type AnswerTags = (answer: unknown) => readonly string[] | undefined;

/** More names than this are not purged one by one. */
const MAX_NAMES = 5;
const NOT_TOLD: AnswerTags = () => undefined;

/**
 * How to read the answer to a write; undefined where the request says everything.
 *
 * @param body of the write, where it is small
 */
export function answerTagsOf(path: string, method: string, body: Buffer | undefined): AnswerTags | undefined {
  if (GRAPHQL.test(path))
    return method === 'POST' && mayMutate(body) ? (answer) => tagsOfMutation(mutationWords(body), answer) : undefined;
  const place = placeOf(path);
  if (place === undefined || changesNothing(path, method)) return undefined;
  if (githubTagsOfWrite(path, method, body).includes(EVERYTHING)) return undefined;
  const below = path.split('/').slice(3).join('/');
  switch (place.kind) {
    case 'viewer':
      // An accepted or declined invitation is named by its number alone, in the answer too.
      if (place.rest[0] === 'repository_invitations') return NOT_TOLD;
      return place.rest[0] === 'repos' ? tagsOfMade : undefined;
    case 'team':
      // The team's repositories are named by the path.
      if (place.rest[0] === 'repos') return undefined;
      return (answer) => {
        const login = textAt(answer, 'organization', 'login');
        return isAccount(login) ? githubTagsOfWrite(`/orgs/${login}/teams/${place.id}/${below}`, method) : undefined;
      };
    case 'account':
      if (typeof place.named !== 'string') return (answer) => tagsOfAccount(place, below, method, answer);
      return place.below === 'repos' && method === 'POST' ? tagsOfMade : undefined;
    case 'repository': {
      const { named } = place;
      if (typeof named !== 'string')
        return (answer) => tagsOfRepository(place, named.id, { below, method, body }, answer);
      return makesRepository(place, method) ? tagsOfMade : undefined;
    }
    default:
      return undefined;
  }
}

function makesRepository({ below, rest }: RepositoryPlace, method: string): boolean {
  return MAKES_REPOSITORY.has(below) && rest.length === 0 && method !== 'DELETE';
}

/** A repository that was made, forked, renamed or given away: under its name there may be a stored 404. */
function tagsOfMade(answer: unknown): readonly string[] | undefined {
  const name = repositoryName(textAt(answer, 'full_name'));
  return name === undefined ? undefined : [repositoryTag(name), ...ownedBy(ownerOf(name)), ACCOUNTS_BY_ID];
}

interface WriteBelow {
  /** What follows the id. */
  readonly below: string;
  readonly method: string;
  readonly body: Buffer | undefined;
}

/** Words below a repository whose answers are about another one. */
const ABOUT_ANOTHER = /^issues\/[^/]+\/(?:dependencies|sub_issues?)(?:\/|$)/i;

function tagsOfRepository(
  place: RepositoryPlace,
  id: string,
  { below, method, body }: WriteBelow,
  answer: unknown,
): readonly string[] | undefined {
  const { repositories, repositoriesById, isWhole } = namesIn(answer);
  if (!isWhole || ABOUT_ANOTHER.test(below)) return undefined;
  const own = repositoriesById.get(id);
  const names = own === undefined ? [...repositories] : [own];
  const made = place.below !== '' && makesRepository(place, method) ? tagsOfMade(answer) : [];
  if (names.length === 0 || names.length > MAX_NAMES || made === undefined) return undefined;
  // Only the old owner's responses contain the previous name.
  const isMoved = place.below === '' || place.below === 'transfer';
  return [
    ...names.flatMap((name) => githubTagsOfWrite(`/repos/${name}/${below}`, method, body)),
    ...(isMoved ? names.map((name) => accountTag(ownerOf(name))) : []),
    ...made,
  ];
}

function tagsOfAccount(
  { below: list }: AccountPlace,
  below: string,
  method: string,
  answer: unknown,
): readonly string[] | undefined {
  const url = ORGANIZATION_URL.exec(textAt(answer, 'url') ?? '')?.[1];
  const repository = list === 'repos' ? repositoryName(textAt(answer, 'full_name')) : undefined;
  const logins = [list === '' ? textAt(answer, 'login') : undefined, textAt(answer, 'organization', 'login'), url];
  const login = [...logins, repository && ownerOf(repository)].find(isAccount);
  if (login === undefined) return undefined;
  return [
    ...(list === '' ? [accountTag(login)] : []),
    ...githubTagsOfWrite(`/orgs/${login}/${below.replace(/^team(?=\/|$)/i, 'teams')}`, method),
    ...(tagsOfMade(answer) ?? []),
  ];
}

const ORGANIZATION_URL = /^https?:\/\/[^/?#]+(?:\/api\/v3)?\/orgs\/([\w-]+)/i;

/** Mutations that change a repository's name or owner, or a user's access: the answer contains neither the old name nor the user. */
const MOVES = /repositor|organization|enterprise|collaborator|member|team|transfer|block|visibility|invit|^\.\.\.$/i;
/** What these make has its name in the answer, if that is asked for. */
const MAKES = /^(?:create|cloneTemplate)Repository$/;

function tagsOfMutation(words: readonly string[] | undefined, answer: unknown): readonly string[] | undefined {
  if (!isObject(answer)) return undefined;
  const results = succeeded(answer);
  if (results?.length === 0) return [];
  const { repositories, isWhole } = namesIn(answer, { hasPages: true });
  const names = [...repositories];
  if (words === undefined || results === undefined || !isWhole || names.length > MAX_NAMES) return undefined;
  if (words.some((word) => MOVES.test(word) && !MAKES.test(word))) return undefined;
  const makes = words.some((word) => MAKES.test(word));
  const isNamed = (result: unknown): boolean =>
    repositoryName(textAt(result, 'repository', 'nameWithOwner')) !== undefined;
  if (makes && !results.every(isNamed)) return undefined;
  return names.flatMap((name) => [
    ...[repositoryTag(name), ...ownedBy(ownerOf(name)), listTag(ownerOf(name), 'issues')],
    ...[viewerTag('issues'), REPOSITORIES_BY_ID, ...(makes ? [ACCOUNTS_BY_ID] : [])],
  ]);
}

/**
 * The results of a mutation's fields, without refused ones: without `data` nothing was run, and an error with a type and a path of one
 * word concerns the field itself (https://spec.graphql.org/October2021/#sec-Errors). Undefined where that is unclear.
 */
function succeeded(answer: object): readonly unknown[] | undefined {
  const errors = valueAt(answer, 'errors');
  const data = valueAt(answer, 'data');
  if (data === undefined) return Array.isArray(errors) ? [] : undefined; // not of a batch
  if (!isObject(data)) return undefined;
  const refused = new Set(
    (Array.isArray(errors) ? (errors as unknown[]) : []).flatMap((error) => {
      const path = valueAt(error, 'path');
      const isOfField = Array.isArray(path) && path.length === 1 && textAt(error, 'type') !== undefined;
      return isOfField ? [String(path[0])] : [];
    }),
  );
  return Object.entries(data as Record<string, unknown>).flatMap(([name, value]) =>
    value === null && refused.has(name) ? [] : [value],
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAccount(login: string | undefined): login is string {
  return login !== undefined && /^[\w-]{1,100}$/.test(login);
}

function ownerOf(repository: string): string {
  return repository.split('/', 1)[0] ?? '';
}
