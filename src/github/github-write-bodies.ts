import { parsedJson } from '../kernel/json';
import type { Place } from './github-places';
import { textAt, valueAt } from './webhook-payload';

/**
 * The changes that only the body of a write reveals: the names that it creates, and the tokens that it revokes.
 *
 * The invariant: a body may contain anything, and nothing here throws; the results are bounded.
 */

/** Names that a write gives to something. Under each of them there may be a stored 404. */
export interface NamesMade {
  readonly accounts: readonly string[];
  /** Accounts that own something else from now on. */
  readonly owners: readonly string[];
  /** As `owner/name`. */
  readonly repositories: readonly string[];
}

const NONE: NamesMade = { accounts: [], owners: [], repositories: [] };
/** Words below a repository, behind which another one is made of it, and the repository itself, which may be renamed. */
export const MAKES_REPOSITORY: ReadonlySet<string> = new Set(['', 'forks', 'generate', 'transfer']);
const OWNERS = ['organization', 'owner', 'new_owner'];
const NAMES = ['name', 'new_name'];
/** GitHub's names are shorter: up to 39 characters of an account, 100 of a repository. */
const MAX_NAME_LENGTH = 255;

/** @param body of the write, where it is small */
export function namesMade(path: string, place: Place | undefined, body: Buffer | undefined): NamesMade {
  if (ADMINISTERED.test(path)) return { ...NONE, accounts: wordsAt(parsedJson(body), ['login']) };
  const organization = PROPERTIES.exec(path)?.[1];
  if (organization !== undefined) return namesGivenProperties(organization, parsedJson(body));
  const isOfOwner = place?.kind === 'account' && place.below === 'repos';
  const isOfRepository = place?.kind === 'repository' && MAKES_REPOSITORY.has(place.below);
  if (!isOfOwner && !isOfRepository) return NONE;
  const json = parsedJson(body);
  const [newOwners, newNames] = [wordsAt(json, OWNERS), wordsAt(json, NAMES)];
  if (newOwners.length === 0 && newNames.length === 0) return NONE;
  const [owner, name] = typeof place.named === 'string' ? place.named.split('/') : [];
  const owners = [...(owner === undefined ? [] : [owner]), ...newOwners];
  const names = [...(name === undefined ? [] : [name]), ...newNames];
  // By an id the repository's name is not known: the 404 may be anywhere below its new owner.
  const accounts = isOfRepository && name === undefined ? newOwners : [];
  return { accounts, owners, repositories: owners.flatMap((one) => names.map((other) => `${one}/${other}`)) };
}

/** Values of custom properties, which repositories show. */
const PROPERTIES = /^\/orgs\/([^/]+)\/properties\/values\/*$/i;
/** GitHub takes so many repositories at once (https://docs.github.com/en/rest/orgs/custom-properties). */
const MAX_REPOSITORIES = 30;

/** The repositories by their names; where the body does not name them, all of the organization. */
function namesGivenProperties(organization: string, body: unknown): NamesMade {
  const names = valueAt(body, 'repository_names');
  const isNamed = Array.isArray(names) && names.length <= MAX_REPOSITORIES;
  if (!isNamed || !names.every((name) => typeof name === 'string')) return { ...NONE, accounts: [organization] };
  return { accounts: [], owners: [organization], repositories: names.map((name) => `${organization}/${name}`) };
}

const ADMINISTERED = /^\/admin\/(?:users|organizations)(?:\/|$)/i;

/** Names in a body, in GitHub's form: characters that a name cannot have become `-`. */
function wordsAt(body: unknown, members: readonly string[]): readonly string[] {
  return members.flatMap((member) => {
    const text = textAt(body, member) ?? '';
    return text === '' || text.length > MAX_NAME_LENGTH ? [] : [text.replace(/[^\w.-]+/g, '-')];
  });
}

/** GitHub takes so many credentials at once (https://docs.github.com/en/rest/credentials/revoke). */
const MAX_TOKENS = 1_000;
const OF_APPLICATION = /^\/applications\/[^/]+\/token\/*$/i;
const REVOKED = /^\/credentials\/revoke\/*$/i;

/** The tokens that a write revokes; undefined where it revokes some, and its body does not name them. */
export function tokensEnded(path: string, method: string, body: Buffer | undefined): readonly string[] | undefined {
  const isOfApplication = OF_APPLICATION.test(path) && method !== 'POST'; // which only checks it
  const isRevoked = REVOKED.test(path) && method === 'POST';
  if (!isOfApplication && !isRevoked) return [];
  const json = parsedJson(body);
  const tokens = isRevoked ? valueAt(json, 'credentials') : [valueAt(json, 'access_token')];
  if (!Array.isArray(tokens) || tokens.length > MAX_TOKENS) return undefined;
  return tokens.every((token) => typeof token === 'string') ? tokens : undefined;
}
