import { HttpException } from '@nestjs/common';
import { AppError, type ErrorCode } from '../kernel/app-error';
import { isOriginForm, NO_TARGET } from './origin-form';

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'request-invalid',
  405: 'method-not-allowed',
  413: 'payload-too-large',
  429: 'too-many-attempts',
  503: 'shutting-down',
};

interface Asked {
  readonly method: string;
  readonly url: string;
}

/**
 * Converts any thrown value to an `AppError`. An unknown error is reported without details; the log has them.
 *
 * @param allowed the methods of the path
 */
export function toAppError(error: unknown, request: Asked, allowed: (path: string) => readonly string[]): AppError {
  if (error instanceof AppError) return error;
  const status = statusOf(error);
  if (status === 404) return notFound(request, allowed, error);
  if (status === 415) return new AppError('request-invalid', 'Send Content-Type: application/json.', { cause: error });
  const code =
    (status === undefined ? undefined : CODE_OF_STATUS[status]) ??
    (isClientFault(status) ? 'request-invalid' : 'internal');
  return new AppError(code, detailOf(code, error), { cause: error });
}

/**
 * The status and words of an exception that a route of the application has thrown. Undefined for errors with a code of the service: 400
 * and 500, the router's 404, and errors of Fastify, which Nest has mapped.
 */
export function statusProblemOf(
  error: unknown,
  { method }: Asked,
): { readonly status: number; readonly detail: string } | undefined {
  if (!(error instanceof HttpException) || error instanceof AppError) return undefined;
  const status = error.getStatus();
  const isMapped = typeof (error.cause as { statusCode?: unknown } | undefined)?.statusCode === 'number';
  const isOfRouter = status === 404 && error.message.startsWith(`Cannot ${method} `);
  if (isMapped || isOfRouter || status === 400 || status === 500 || status < 400 || status > 599) return undefined;
  return { status, detail: oneLine(messageOf(error)) };
}

function notFound(request: Asked, allowedAt: (path: string) => readonly string[], cause: unknown): AppError {
  const { method } = request;
  // Nest has no route for `*` of a GET, and says so before the edge refuses it.
  if (!isOriginForm(request.url)) return new AppError('request-invalid', NO_TARGET, { cause });
  const allowed = allowedAt(pathOf(request));
  const path = pathOf(request).slice(0, 200);
  if (allowed.length === 0 || allowed.includes(method)) {
    const isDocumented = allowedAt('/docs').length > 0;
    const hint = isDocumented ? '. The routes are listed at /docs.' : '. The page at / shows what there is.';
    // With ADMIN_PORT the public port has neither.
    const where = isDocumented || allowedAt('/').length > 0 ? hint : ' on this port.';
    return new AppError('route-not-found', `There is no ${method} ${path}${where}`, { cause });
  }
  const allow = allowed.join(', ');
  return new AppError('method-not-allowed', `${path} does not take ${method}; it takes ${allow}.`, {
    headers: { allow },
    cause,
  });
}

function pathOf({ url }: Asked): string {
  return url.split('?', 1)[0] ?? '';
}

function detailOf(code: ErrorCode, error: unknown): string {
  if (code === 'internal') return 'The service failed. The log has the reason under this request id.';
  if (code === 'payload-too-large') return 'The request body is larger than this route takes.';
  if ((error as { code?: unknown } | undefined)?.code === 'FST_ERR_BAD_URL')
    return 'The path has an invalid percent-encoding. Encode a % that is meant as it is as %25.';
  return error instanceof Error ? oneLine(messageOf(error)) : 'The request was not understood.';
}

/** Nest keeps the reasons of a failed validation in the response of the exception. */
function messageOf(error: Error): string {
  const response = error instanceof HttpException ? error.getResponse() : undefined;
  const message = typeof response === 'object' ? (response as { message?: unknown }).message : undefined;
  return Array.isArray(message) ? message.map((one) => sentence(String(one))).join('; ') : error.message;
}

/** A schema's message as an instruction: it begins with the name of the value and a colon. */
function sentence(message: string): string {
  const [, name = 'The input', text = ''] = /^(?:([\w.]+): )?(.*)$/s.exec(message) ?? [];
  if (text.startsWith('must ')) return `${name} ${text}`;
  const [, expected, received] = /^Invalid input: expected (\w+), received (\w+)$/.exec(text) ?? [];
  if (expected !== undefined) return `${name} must be of the type ${expected}, not ${received ?? ''}`;
  const [, options] = /^Invalid option: expected (.+)$/s.exec(text) ?? [];
  return options === undefined ? message : `${name} must be ${options}`;
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').slice(0, 300);
}

function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  const status = (error as { statusCode?: unknown } | undefined)?.statusCode;
  return typeof status === 'number' ? status : undefined;
}

function isClientFault(status: number | undefined): boolean {
  return status !== undefined && status >= 400 && status < 500;
}
