import { HttpException } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { AppError } from '../kernel/app-error';
import { DeclinedLoad, StatusFailure, UnkeptFailure, type LoadedResponse } from './core/load';
import { catches, type CaughtClasses } from './exception-filters';
import { exceptionOf, isRebuilt } from './kept-exception';

/*
 * What a handler throws, as the cache sees it: an error that Nest answers with a status below 500 is an answer, of which
 * nothing is kept; a status from 500 is a failure.
 */

/** Answers about the resource, the same for every client that requests it now. */
const OF_THE_RESOURCE: ReadonlySet<number> = new Set([404, 409, 410, 422]);
/** After these what is stored must not be used any more: it is gone, or is not for those who ask. */
const WITHDRAWS: ReadonlySet<number> = new Set([401, 403, 404, 410]);

const filter = new BaseExceptionFilter();

/** The status that Nest answers an error with, where that says more than 500. */
export function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus();
  return filter.isHttpError(error) ? error.statusCode : undefined;
}

/** What a status that the handler has set on its reply means for waiters and for the stored entry: the same as an exception's. */
export function statusEffects(status: number): Pick<LoadedResponse, 'ttlMs' | 'isForOne' | 'removesEntry'> {
  if (status >= 200 && status < 300) return {};
  return { ttlMs: 0, isForOne: !OF_THE_RESOURCE.has(status), removesEntry: WITHDRAWS.has(status) };
}

/**
 * The client of the request that the load ran for left, and the handler failed then: it may have given up with its client. That says
 * nothing about the origin; those who waited load for themselves.
 */
export class ClientLeft extends DeclinedLoad {
  constructor(result: unknown) {
    super(result, false, false);
    this.name = 'ClientLeft';
  }
}

export interface Circumstances {
  /** Whether the client left before it had its whole response. */
  readonly hasLeft: boolean;
  /** What the application's exception filters catch. */
  readonly filters: CaughtClasses;
}

/** The error for the cache's loader. */
export function toLoadError(error: unknown, { hasLeft, filters }: Circumstances): unknown {
  const status = statusOf(error);
  if (status !== undefined && status < 500)
    return new DeclinedLoad(error, OF_THE_RESOURCE.has(status), WITHDRAWS.has(status));
  if (hasLeft) return new ClientLeft(error);
  const body = status === undefined ? '' : bodyOf(error, status);
  // A filter may tell the error from what others would get in its place, and answer otherwise.
  const rebuilt = status === undefined ? new AppError('internal', '') : exceptionOf(body, status);
  if (!isRebuilt(error) && (catches(filters, error) || catches(filters, rebuilt)))
    return new UnkeptFailure(error, status);
  return status === undefined
    ? error
    : new StatusFailure(status, `The origin answered ${status}.`, body, { cause: error });
}

/** The error for the application's exception filters. */
export function fromLoadError(error: unknown): unknown {
  if (error instanceof DeclinedLoad) return error.result;
  if (error instanceof UnkeptFailure) return error.cause;
  if (!(error instanceof StatusFailure)) return error;
  // That of another replica has left what it said.
  return error.cause ?? exceptionOf(error.body, error.status);
}

/** What Nest would answer with: it is all that those on other replicas get. */
function bodyOf(error: unknown, status: number): string {
  if (error instanceof HttpException) return JSON.stringify(error.getResponse());
  return JSON.stringify({ statusCode: status, message: filter.getHttpErrorMessage(error as never) });
}
