import type { EntryMetadata } from '../cache';

/** Whether a lifetime is the one in the response, give or take a second. */
const TOLERANCE_MS = 1_000;

/** Explains in one sentence why a response is stored, how long it is fresh, and its use after that. */
export function whyStored({ upstream, status, headers, ...entry }: EntryMetadata): string {
  const field = headers.find(([name]) => name === 'cache-control')?.[1];
  const freshMs = entry.freshUntil - entry.storedAt;
  const named = Number(
    /\bs-maxage="?(\d+)/i.exec(field ?? '')?.[1] ?? /\bmax-age="?(\d+)/i.exec(field ?? '')?.[1] ?? NaN,
  );
  const isNamed = Math.abs(named * 1_000 - freshMs) <= TOLERANCE_MS;
  const answered = `${upstream === '' ? 'The origin' : upstream} answered ${status}`;
  const rule =
    field === undefined
      ? `${answered}, and a rule of this service keeps it fresh for ${inWords(freshMs)}`
      : isNamed
        ? `${answered} with "Cache-Control: ${field}", so it is fresh for ${inWords(freshMs)}`
        : `${answered} with "Cache-Control: ${field}", and a rule of this service keeps it fresh for ${inWords(freshMs)}`;
  return `${rule}; ${afterwards(entry)}.`;
}

function afterwards({
  mustRevalidate,
  staleWhileRevalidateMs,
  staleIfErrorMs,
  validators,
}: Pick<EntryMetadata, 'mustRevalidate' | 'staleWhileRevalidateMs' | 'staleIfErrorMs' | 'validators'>): string {
  if (mustRevalidate) return 'then it is validated before any use';
  const uses = [
    ...(staleWhileRevalidateMs > 0 ? [`for ${inWords(staleWhileRevalidateMs)} while a refresh runs`] : []),
    ...(staleIfErrorMs > 0 ? [`for ${inWords(staleIfErrorMs)} if the upstream fails`] : []),
  ];
  if (uses.length > 0) return `after that it may be served stale ${uses.join(' and ')}`;
  const hasValidator = validators.etag !== undefined || validators.lastModified !== undefined;
  return hasValidator ? 'then it is validated' : 'then it is loaded again';
}

function inWords(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds >= 172_800) return `${Math.round(seconds / 8_640) / 10} days`;
  return seconds >= 7_200 ? `${Math.round(seconds / 360) / 10} h` : `${seconds} s`;
}
