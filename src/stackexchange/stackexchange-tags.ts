import { z } from 'zod';

/*
 * The tags of what Stack Exchange has under a path. Case counts.
 *
 * The invariant: a response has the tag of each thing that its path names, and `lists` unless it is about posts alone, so that a write removes the
 * responses about its post, and every list that may show it.
 */

/** Questions and answers are posts, and have their ids in common. */
const KINDS: ReadonlyMap<string, string> = new Map([
  ...(['questions', 'answers', 'posts'] as const).map((kind) => [kind, 'post'] as const),
  ['comments', 'comment'],
  ['users', 'user'],
  ['tags', 'tag'],
]);

export function stackExchangeTags(path: string): readonly string[] {
  const [, kind = '', ids = '', below] = path.split('/');
  const word = KINDS.get(kind);
  const isNamed = kind === 'tags' ? below !== undefined : /^\d/.test(ids);
  if (word === undefined || !isNamed) return ['lists'];
  const named = ids.split(/;|%3B/).map((id) => `${word}:${decodeURIComponent(id)}`);
  return word === 'post' && below === undefined ? named : [...named, 'lists'];
}

const posts = z.object({ items: z.array(z.object({ question_id: z.int() })).min(1) });

/** Tags of the questions that the answer to a write names; undefined where it names none. */
export function questionTags(answer: unknown): readonly string[] | undefined {
  const { data } = posts.safeParse(answer);
  return data?.items.map(({ question_id: id }) => `post:${id}`);
}
