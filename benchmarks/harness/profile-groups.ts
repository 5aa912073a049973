import { join } from 'node:path';
import type { SelfTime } from './cpu-profile';
import { compiledRoot } from './folders';

/*
 * Whose the time of a profile is. Native code counts with the file that called it; only writing to a socket stands by
 * itself, for there the kernel works.
 */

const IDLE = 'idle, or reading in the event loop';
const WRITING = 'socket: native write';
const COLLECTION = 'garbage collection';
const PROGRAM = 'native code outside functions';
const STREAMS = "node's streams and sockets";
const HTTP = "node's HTTP";
const REST = 'the rest of node';
const OURS = "Larder's own code";
const OTHER = 'other code';

/** In the order of the table; libraries come after ours. */
const ORDER = [IDLE, WRITING, STREAMS, HTTP, REST, COLLECTION, PROGRAM, OURS];

/** The share of the time that each group took, 0 to 1. */
export function sharesByGroup(times: readonly SelfTime[]): Map<string, number> {
  const total = times.reduce((sum, { micros }) => sum + micros, 0);
  const shares = new Map<string, number>();
  for (const time of times) {
    const group = groupOf(time);
    shares.set(group, (shares.get(group) ?? 0) + time.micros / total);
  }
  return shares;
}

/** The groups of several profiles: the usual ones, the libraries that took `least` in one of them, and what is left. */
export function inOrder(
  all: readonly ReadonlyMap<string, number>[],
  least: number,
): { shown: string[]; rest: string[] } {
  const most = (group: string): number => Math.max(...all.map((shares) => shares.get(group) ?? 0));
  const found = [...new Set(all.flatMap((shares) => [...shares.keys()]))];
  const libraries = found.filter((group) => !ORDER.includes(group)).sort((a, b) => most(b) - most(a));
  return {
    shown: [...ORDER.filter((group) => found.includes(group)), ...libraries.filter((group) => most(group) >= least)],
    rest: libraries.filter((group) => most(group) < least),
  };
}

function groupOf({ functionName, url, callerUrl }: SelfTime): string {
  if (functionName === '(idle)') return IDLE;
  if (functionName === '(garbage collector)') return COLLECTION;
  if (functionName === '(program)') return PROGRAM;
  if (url === '' && /^write(v|Buffer|\w+String)$/.test(functionName)) return WRITING;
  return ownerOf(callerUrl);
}

function ownerOf(url: string): string {
  const [, library] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(url) ?? [];
  if (library !== undefined) return `library ${library}`;
  if (url === '' || url.startsWith('node:')) return partOfNode(url);
  return url.includes(join(compiledRoot, 'src/')) ? OURS : OTHER;
}

function partOfNode(url: string): string {
  if (/^node:(_http|http|internal\/http)/.test(url)) return HTTP;
  if (/^node:(net|_stream|stream|internal\/(streams|stream_base_commons|net))/.test(url)) return STREAMS;
  return REST;
}
