import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AdminGuard } from '../admin/admin.guard';

/** Admits requests without a credential, and requests with the admin's. */
@Injectable()
export class LiveGuard implements CanActivate {
  constructor(private readonly admin: AdminGuard) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    const http = context.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    return !hasCredential(request) || this.admin.admit(request, http.getResponse<FastifyReply>(), true);
  }
}

/** Whether the request, once it is let in, is an admin's. */
export function hasCredential({ headers }: FastifyRequest): boolean {
  return headers.authorization !== undefined;
}
