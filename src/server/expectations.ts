import type { FastifyInstance } from 'fastify';

/**
 * Sends `100 Continue` (RFC 9110 §10.1.1) when the turn of the response on its connection has come, unless it has begun by then. For a
 * pipelined request node would write the `100 Continue` between head and body of the earlier response.
 */
export function continueInTurn(server: FastifyInstance['server']): void {
  server.on('checkContinue', (request, response) => {
    const goOn = (): void => {
      if (!response.headersSent) response.writeContinue();
    };
    if (response.socket) goOn();
    else response.once('socket', goOn);
    server.emit('request', request, response);
  });
}
