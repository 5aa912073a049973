import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../kernel/app-error';
import { AdminTokens } from './admin-tokens';
import { FailedAttempts } from './failed-attempts';

declare module 'fastify' {
  interface FastifyRequest {
    /** The name of the request's admin token. */
    adminToken?: string;
  }
}

/** Admits requests with an admin token as bearer (RFC 6750); without a configured token the API does not exist. */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(
    private readonly tokens: AdminTokens,
    private readonly attempts: FailedAttempts,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (!this.tokens.isEnabled) {
      throw new AppError(
        'route-not-found',
        'The admin API is off: neither ADMIN_TOKEN nor ADMIN_TOKENS is set and NODE_ENV is production.',
      );
    }
    const [, guess] = /^Bearer ([\x21-\x7e]{1,1024})$/i.exec(request.headers.authorization ?? '') ?? [];
    // First, and in constant time: guesses from the same address, such as a proxy's, never lock the right token out.
    const name = guess === undefined ? undefined : this.tokens.nameOf(guess);
    if (name !== undefined) {
      request.adminToken = name;
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
      'Send the header "Authorization: Bearer <ADMIN_TOKEN>". ' +
        'If ADMIN_TOKEN is not set, the generated one was printed when the service started.',
      {
        headers: { 'www-authenticate': 'Bearer realm="larder admin"' },
      },
    );
  }
}
