import type { FastifyReply, FastifyRequest } from 'fastify';

type RawRequest = FastifyRequest['raw'];
type RawResponse = FastifyReply['raw'];
type Handler = (request: RawRequest, response: RawResponse) => void;

/** How many requests of one connection may be processed behind the one that is being answered. */
const MAX_WAITING = 100;
/** How many more may arrive before the client has read that the connection ends. */
const MAX_DROPPED = 100;

interface Pipeline {
  waiting: number;
  dropped: number;
}

/**
 * Bounds the requests that one connection has under way at once: node reads and dispatches as many as a client writes, however
 * long the first takes. The last one that is answered says `Connection: close`, and no request after it is processed (RFC 9112
 * §9.6: "MUST NOT process any further requests"); its client sends the others again.
 */
export function limitPipelines(handler: Handler): Handler {
  const pipelines = new WeakMap<RawRequest['socket'], Pipeline>();
  return (request, response) => {
    // Only a response that waits for another has no socket yet.
    if (response.socket !== null || mayWait(pipelines, request, response)) handler(request, response);
  };
}

function mayWait(
  pipelines: WeakMap<RawRequest['socket'], Pipeline>,
  { socket }: RawRequest,
  response: RawResponse,
): boolean {
  const pipeline = pipelines.get(socket) ?? { waiting: 0, dropped: 0 };
  pipelines.set(socket, pipeline);
  if (pipeline.dropped > 0 || pipeline.waiting >= MAX_WAITING) {
    pipeline.dropped += 1;
    if (pipeline.dropped > MAX_DROPPED) socket.destroy();
    return false;
  }
  pipeline.waiting += 1;
  response.once('socket', () => (pipeline.waiting -= 1));
  if (pipeline.waiting === MAX_WAITING) {
    response.shouldKeepAlive = false;
    pipeline.dropped = 1;
  }
  return true;
}
