import type { EntryMetadata } from '../cache';
import { whyStored } from './why-stored';

const entry = (more: Partial<EntryMetadata>): EntryMetadata => ({
  ...{ id: 'i', status: 200, headers: [], validators: {}, upstream: 'github', tags: [], storedAt: 0 },
  ...{
    freshUntil: 60_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    mustRevalidate: false,
    loadDurationMs: 0,
    etag: '',
    coding: 'identity',
  },
  ...more,
});

it.each<[Partial<EntryMetadata>, string]>([
  [
    { headers: [['cache-control', 'public, max-age=60, s-maxage=60']] },
    'github answered 200 with "Cache-Control: public, max-age=60, s-maxage=60", so it is fresh for 60 s; then it is loaded again.',
  ],
  [
    {
      headers: [['cache-control', 'public, max-age=60']],
      freshUntil: 3_600_000,
      staleIfErrorMs: 86_400_000,
      staleWhileRevalidateMs: 30_000,
    },
    'github answered 200 with "Cache-Control: public, max-age=60", and a rule of this service keeps it fresh for 3600 s; after that it may be served stale for 30 s while a refresh runs and for 24 h if the upstream fails.',
  ],
  [
    { status: 404, mustRevalidate: true, staleIfErrorMs: 5 },
    'github answered 404, and a rule of this service keeps it fresh for 60 s; then it is validated before any use.',
  ],
  [
    { validators: { etag: '"x"' }, freshUntil: -5 },
    'github answered 200, and a rule of this service keeps it fresh for 0 s; then it is validated.',
  ],
])('says in one sentence why it is stored', (more, sentence) => {
  expect(whyStored(entry(more))).toBe(sentence);
});
