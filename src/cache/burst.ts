import type { FastifyReply } from 'fastify';

type Ending = Pick<FastifyReply['raw'], 'end' | 'destroy'>;

interface Ready {
  readonly response: Ending;
  readonly body: Buffer | undefined;
}

/** So many wait for each other at most. */
const MOST_TOGETHER = 16;

let waiting: Ready[] = [];

/**
 * Ends a response together with those to the requests that were read along with its own. A write to a client that sleeps wakes
 * it, which costs the writer about as much as the answer; the rest of a burst finds it awake. The response to a request that came
 * alone goes out in the same turn of the event loop.
 */
export function endInBurst(response: Ending, body?: Buffer): void {
  waiting.push({ response, body });
  if (waiting.length === 1) setImmediate(endAll);
  else if (waiting.length >= MOST_TOGETHER) endAll();
}

function endAll(): void {
  const together = waiting;
  waiting = [];
  for (const { response, body } of together) {
    try {
      response.end(body);
    } catch {
      response.destroy(); // what node refuses to write ends its own connection, and no other
    }
  }
}
