import { totalmem } from 'node:os';
import { oldGenerationBytes } from './heap-limit';
import type { MemoryLimits } from './memory-tier';

/**
 * Divides `L1_MAX_BYTES`, and limits it to a process's memory. Its one invariant: the cache alone cannot exhaust the memory of the
 * process.
 */

const MIB = 1_048_576;

/** The memory for entries, and for the responses that are prepared of them. */
export function forEntries(maxBytes: number): number {
  return Math.floor(maxBytes * 0.9);
}

/** The memory for prepared responses and hit pointers of entries in Redis, without L1. */
export const WITHOUT_L1_BYTES = 4 * MIB;

/** The memory for the table of hit pointers. */
export function forHitPointers(maxBytes: number): number {
  return maxBytes < 1 ? WITHOUT_L1_BYTES : Math.ceil(maxBytes * 0.05);
}

/** The memory limits of a process. */
export interface ProcessMemory {
  /** V8's limit of the old generation. */
  readonly heapBytes: number;
  /** The machine's memory, or the container's. */
  readonly totalBytes: number;
  /** How many processes of the service share that. */
  readonly processes: number;
}

export function processMemory(processes = 1): ProcessMemory {
  // 0, or a number beyond any machine, where there is no limit
  const limit = process.constrainedMemory();
  const totalBytes = limit > 0 ? Math.min(limit, totalmem()) : totalmem();
  return { heapBytes: oldGenerationBytes(), totalBytes, processes };
}

/** The old generation of a service without entries, and room for the garbage of requests. */
const BASE_HEAP_BYTES = 64 * MIB;
/** The memory of a service without entries. */
const BASE_BYTES = 192 * MIB;
/** The rest is for the collector: garbage that is not collected yet, pages that are partly used. */
const HEAP_SHARE = 0.4;
const MEMORY_SHARE = 0.5;
/** The minimum, even if there is hardly room for the service itself. */
const MIN_SHARE = 1 / 32;

/** How many bytes of entries fit into the process, in the worst case all on the heap. */
export function roomForL1({ heapBytes, totalBytes, processes }: ProcessMemory): number {
  const ownBytes = totalBytes / processes;
  const inHeap = Math.max((heapBytes - BASE_HEAP_BYTES) * HEAP_SHARE, heapBytes * MIN_SHARE);
  const inMemory = Math.max((ownBytes - BASE_BYTES) * MEMORY_SHARE, ownBytes * MIN_SHARE);
  return Math.floor(Math.min(inHeap, inMemory));
}

/** The limits, reduced to the memory of the process. */
export function fitted(limits: MemoryLimits, memory: ProcessMemory): MemoryLimits {
  return { ...limits, maxBytes: Math.min(limits.maxBytes, roomForL1(memory)) };
}

/** Advice about an `L1_MAX_BYTES` that exceeds the available memory; undefined where it fits. */
export function unfitAdvice(maxBytes: number, memory: ProcessMemory): string | undefined {
  const room = roomForL1(memory);
  if (maxBytes <= room) return undefined;
  const isHeap = roomForL1({ ...memory, totalBytes: Infinity }) === room;
  const { heapBytes, totalBytes, processes } = memory;
  const shared = processes > 1 ? `, for ${processes} processes` : '';
  const limit = isHeap ? `node's heap limit is ${mib(heapBytes)}` : `there are ${mib(totalBytes)} of memory${shared}`;
  const heapMib = Math.ceil((maxBytes / HEAP_SHARE + BASE_HEAP_BYTES) / MIB);
  const remedy = isHeap ? `a larger heap (NODE_OPTIONS=--max-old-space-size=${heapMib})` : 'more memory';
  return `L1_MAX_BYTES is ${mib(maxBytes)}, but ${limit}: ${mib(room)} are used, so that the process survives. Give it ${remedy}, or set L1_MAX_BYTES=${room}. See docs/guides/sizing.md.`;
}

function mib(bytes: number): string {
  const value = bytes / MIB;
  return `${value < 10 ? Math.floor(value * 10) / 10 : Math.floor(value)} MiB`;
}
