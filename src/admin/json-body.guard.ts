import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../kernel/app-error';

/** Refuses a body without the JSON media type: `curl -d` labels it as a form, and a form has none of the members. */
@Injectable()
export class JsonBodyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const { headers } = context.switchToHttp().getRequest<FastifyRequest>();
    if (/^application\/json\b/i.test(headers['content-type'] ?? '')) return true;
    throw new AppError('request-invalid', 'Send Content-Type: application/json.');
  }
}
