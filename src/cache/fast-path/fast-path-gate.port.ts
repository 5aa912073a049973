import type { FastifyReply, FastifyRequest } from 'fastify';

/** In front of the HTTP framework: serves requests that only need a stored response before the framework routes them. */
export interface FastPathGatePort {
  serveWith(
    server: (request: FastifyRequest['raw'], response: FastifyReply['raw']) => boolean | Promise<boolean>,
  ): void;
  /** The code that would be skipped if requests like this one were served there; undefined for none. */
  obstacle(request: FastifyRequest): string | undefined;
  /** The code that could not change a response written without the framework; undefined for none. */
  sendingObstacle(request: FastifyRequest): string | undefined;
  /** Calls back when requests served so must take the slow path once more. */
  onChanged(listener: () => void): void;
}
