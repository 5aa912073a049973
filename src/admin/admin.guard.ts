import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyInstance, FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import { AppError } from '../kernel/app-error';
import { AdminLog } from './admin-log';
import { AdminTokens } from './admin-tokens';
import { FailedAttempts } from '../server/failed-attempts';

const ADMIN_ROUTES = '/admin/';

/**
 * Admits requests with an admin token as bearer (RFC 6750), and has each request logged, refused ones too; without a configured token the
 * API does not exist.
 */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(
    private readonly tokens: AdminTokens,
    private readonly attempts: FailedAttempts,
    private readonly log: AdminLog,
  ) {}

  /** Has the token checked before the body is read: Fastify parses it before Nest asks a guard. Must be called before the routes are declared. */
  guardBodies(fastify: FastifyInstance): void {
    fastify.addHook('onRoute', (route) => {
      if (!route.url.startsWith(ADMIN_ROUTES)) return;
      const admitted: onRequestAsyncHookHandler = async (request, reply) => {
        await this.admit(request, reply);
      };
      route.onRequest = [...[route.onRequest ?? []].flat(), admitted];
    });
  }

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    return request.adminAction?.token !== undefined || this.admit(request, http.getResponse<FastifyReply>());
  }

  /** @param isStream whether the response has no end */
  admit(request: FastifyRequest, reply: FastifyReply, isStream = false): boolean | Promise<boolean> {
    if (!this.tokens.isEnabled) {
      throw new AppError(
        'route-not-found',
        'The admin API is off: neither ADMIN_TOKEN nor ADMIN_TOKENS is set and NODE_ENV is production.',
      );
    }
    const action = this.log.begin(request, reply, isStream);
    const [, guess] = /^Bearer ([\x21-\x7e]{1,1024})$/i.exec(request.headers.authorization ?? '') ?? [];
    // First, and in constant time: guesses from the same address, such as a proxy's, never lock the right token out.
    const name = guess === undefined ? undefined : this.tokens.nameOf(guess);
    if (name !== undefined) {
      action.token = name;
      return true;
    }
    return this.refuse(request.ip, guess !== undefined);
  }

  private async refuse(address: string, isGuess: boolean): Promise<never> {
    const waitMs = await this.attempts.register(address, isGuess);
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1_000);
      const message = `Too many wrong admin tokens from this address; wrong ones are answered again in ${seconds} s. Send the right one.`;
      throw new AppError('too-many-attempts', message, { retryAfterMs: waitMs });
    }
    throw new AppError(
      'admin-unauthorized',
      'Send the header "Authorization: Bearer TOKEN", with ADMIN_TOKEN or a token of ADMIN_TOKENS. ' +
        'If neither is set, outside of production, one was printed when the service started.',
      {
        headers: { 'www-authenticate': 'Bearer realm="larder admin"' },
      },
    );
  }
}
