import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../kernel/app-error';
import { AdminLog } from './admin-log';
import { AdminTokens } from './admin-tokens';
import { FailedAttempts } from '../server/failed-attempts';

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

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    return this.admit(context);
  }

  /** @param isStream whether the response has no end */
  admit(context: ExecutionContext, isStream = false): boolean | Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    if (!this.tokens.isEnabled) {
      throw new AppError(
        'route-not-found',
        'The admin API is off: neither ADMIN_TOKEN nor ADMIN_TOKENS is set and NODE_ENV is production.',
      );
    }
    const action = this.log.begin(request, http.getResponse<FastifyReply>(), isStream);
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
