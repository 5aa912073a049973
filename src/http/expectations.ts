import type { FastifyInstance } from 'fastify';

/**
 * Has clients that ask first (RFC 9110 §10.1.1) told to go on when the answer's turn on its connection has come, if it is not under
 * way by then. Of one that waits behind another node would write the `100 Continue` between its head and its body.
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
