import { HttpException } from '@nestjs/common';
import { AppError, type ErrorCode } from '../kernel/app-error';

const CODE_OF_STATUS: Readonly<Record<number, ErrorCode>> = {
  400: 'request-invalid',
  404: 'route-not-found',
  405: 'method-not-allowed',
  413: 'payload-too-large',
  415: 'request-invalid',
  429: 'too-many-attempts',
  503: 'shutting-down',
};

/** Whatever was thrown, as one of ours. Of an unknown error nothing is told but that it happened; the log has the rest. */
export function toAppError(error: unknown, request: { readonly method: string; readonly url: string }): AppError {
  if (error instanceof AppError) return error;
  const status = statusOf(error);
  const code =
    (status === undefined ? undefined : CODE_OF_STATUS[status]) ??
    (isClientFault(status) ? 'request-invalid' : 'internal');
  return new AppError(code, detailOf(code, error, request), { cause: error });
}

function detailOf(
  code: ErrorCode,
  error: unknown,
  { method, url }: { readonly method: string; readonly url: string },
): string {
  if (code === 'route-not-found') {
    const path = url.split('?', 1)[0]?.slice(0, 200) ?? '';
    return `There is no ${method} ${path}. The routes are listed at /docs; try GET /repos/redis.`;
  }
  if (code === 'internal') return 'The service failed. The log has the reason under this request id.';
  if (code === 'payload-too-large') return 'The request body is larger than this route takes.';
  return error instanceof Error ? oneLine(error.message) : 'The request was not understood.';
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
