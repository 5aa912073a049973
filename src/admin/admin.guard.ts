import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../kernel/app-error';
import { AdminToken } from './admin-token';
import { FailedAttempts } from './failed-attempts';

/** Lets through who shows the admin token as a bearer (RFC 6750); without a token there is nothing here. */
@Injectable()
export class AdminGuard implements CanActivate {
  constructor(
    private readonly token: AdminToken,
    private readonly attempts: FailedAttempts,
  ) {}

  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (!this.token.isEnabled) {
      throw new AppError('route-not-found', 'The admin API is off: ADMIN_TOKEN is not set and NODE_ENV is production.');
    }
    const [, guess] = /^Bearer ([\x21-\x7e]{1,1024})$/i.exec(request.headers.authorization ?? '') ?? [];
    // First, and in constant time: others who guess at the same address, such as a proxy's, never lock the right token out.
    if (guess !== undefined && this.token.matches(guess)) return true;
    const from = request.ip;
    const waitMs = this.attempts.waitMs(from);
    if (waitMs > 0) {
      const seconds = Math.ceil(waitMs / 1_000);
      const message = `Too many wrong admin tokens from this address; wrong ones are answered again in ${seconds} s. Send the right one.`;
      throw new AppError('too-many-attempts', message, { retryAfterMs: waitMs });
    }
    if (guess !== undefined) this.attempts.note(from);
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
