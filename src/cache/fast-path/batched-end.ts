import type { FastifyReply } from 'fastify';

type Response = Pick<FastifyReply['raw'], 'end' | 'destroy'>;

interface BatchedEnd {
  readonly response: Response;
  readonly body: Buffer | undefined;
}

const MAX_BATCH_LENGTH = 16;

let batch: BatchedEnd[] = [];

/**
 * Ends a response together with the responses to all requests read in the same turn of the event loop. A write to a sleeping client wakes
 * it, which costs about as much as the hit itself; the rest of the batch finds it awake. The response to a single request is sent in the
 * same turn.
 */
export function endBatched(response: Response, body?: Buffer): void {
  batch.push({ response, body });
  if (batch.length === 1) setImmediate(endAll);
  else if (batch.length >= MAX_BATCH_LENGTH) endAll();
}

function endAll(): void {
  const ending = batch;
  batch = [];
  for (const { response, body } of ending) {
    try {
      response.end(body);
    } catch {
      response.destroy(); // a response that node refuses to write ends its own connection, and no other
    }
  }
}
