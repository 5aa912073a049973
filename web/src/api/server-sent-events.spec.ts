import { EventParser, type ServerSentEvent } from './server-sent-events';

function parse(text: string, size = text.length, lastEventId = ''): { events: ServerSentEvent[]; retries: number[] } {
  const events: ServerSentEvent[] = [];
  const retries: number[] = [];
  const parser = new EventParser(
    lastEventId,
    (event) => events.push(event),
    (ms) => retries.push(ms),
  );
  const bytes = new TextEncoder().encode(text);
  for (let at = 0; at < bytes.length; at += Math.max(1, size)) parser.push(bytes.subarray(at, at + Math.max(1, size)));
  return { events, retries };
}

const STREAM =
  'retry: 1000\n\n: alive\n\nevent: figures\r\nid: 17\r\ndata: {"a":\r\ndata: "ü€"}\r\n\r\nid: 18\ndata:x\n\n';

it.each([1, 2, 3, 7, 1000])('finds the same events in pieces of %i bytes', (size) => {
  expect(parse(STREAM, size)).toEqual({
    retries: [1000],
    events: [
      { type: 'figures', data: '{"a":\n"ü€"}', lastEventId: '17' },
      { type: 'message', data: 'x', lastEventId: '18' },
    ],
  });
});

it('keeps the id of before for events without one, and of an event that did not end', () => {
  const { events } = parse('data: a\n\nid: 9\ndata: b', 1000, '5');
  expect(events).toEqual([{ type: 'message', data: 'a', lastEventId: '5' }]);
});

it('leaves out an event without data', () => {
  expect(parse('event: end\n\n').events).toEqual([]);
});
