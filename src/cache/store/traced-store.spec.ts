import { ManualClock } from '../../kernel/clock';
import type { Span, Tracer } from '../../kernel/tracer';
import { MemoryStore } from './memory/memory-store';
import { addSpans } from './traced-store';

it('gives each step of a miss in memory one span', async () => {
  const names: string[] = [];
  const span: Span = { run: (work) => work(), set: () => undefined, contextFields: () => [] };
  const tracer: Tracer = {
    toldUpstreams: new Set(),
    handle: () => false,
    start: (name) => (names.push(name), span),
    annotate: () => undefined,
    link: () => undefined,
  };
  const store = new MemoryStore({ maxBytes: 1_000_000, maxEntries: 10 }, new ManualClock());
  addSpans(store, tracer);
  await store.findOrAcquire({ key: 'k', token: 't', tags: [], seenId: '', leaseMs: 1_000 });
  expect(names).toEqual(['cache lookup', 'cache lease']);
});
