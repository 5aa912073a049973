import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../kernel/app-error';

/** Refuses a body that is not said to be JSON: `curl -d` says that it is a form, which no member of it would be found in. */
@Injectable()
export class JsonBodyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<FastifyRequest>();
    if (/^application\/json\b/i.test(headers['content-type'] ?? '')) return true;
    throw new AppError('request-invalid', 'Send Content-Type: application/json.');
  }
}
