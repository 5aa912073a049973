import { HttpException } from '@nestjs/common';
import { BaseExceptionFilter } from '@nestjs/core';
import { AppError } from '../../kernel/app-error';
import { StatusFailure, UnkeptFailure } from '../engine/load-failure';
import { AbandonedLoad } from '../engine/loader';
import { catches, type CaughtClasses } from './exception-filters';
import type { HandlerResult, Sharing } from './handler-answer';
import { exceptionHeaders, exceptionOf, isRebuilt, thrownWith } from './kept-exception';

/**
 * Converts an error of a handler: an error that Nest answers with a status below 500 is an answer, of which nothing is stored; a status
 * from 500 is a failure.
 */

/** Answers about the resource, the same for every client that requests it now. */
const OF_THE_RESOURCE: ReadonlySet<number> = new Set([404, 409, 410, 422]);

/**
 * For the cache every exception below 400 is a redirect of one request, whatever its status: an exception filter makes the response. A 304
 * would count as a validation, a 204 as a representation.
 */
const THROWN_REDIRECT = 302;

const filter = new BaseExceptionFilter();

/** The status that Nest gives an error, unless it is the default 500. Errors of the service have codes instead. */
export function statusOf(error: unknown): number | undefined {
  if (error instanceof AppError) return undefined;
  if (error instanceof HttpException) return error.getStatus();
  return filter.isHttpError(error) ? error.statusCode : undefined;
}

/** Whether waiting requests may get a response of this status although it is not stored. */
export function isForWaiting(status: number): boolean {
  return OF_THE_RESOURCE.has(status);
}

export interface Circumstances {
  /** Whether the client disconnected before it had its whole response. */
  readonly hasLeft: boolean;
  /** The classes that the application's exception filters catch. */
  readonly filters: CaughtClasses;
  readonly sharing: Sharing;
}

/**
 * The response for an error of the handler below 500: data like any other.
 *
 * @throws the error with which the load fails, from 500 on
 */
export function responseOfError(error: unknown, { hasLeft, filters, sharing }: Circumstances): HandlerResult {
  const status = statusOf(error);
  const body = status === undefined ? '' : bodyOf(error, status);
  if (status !== undefined && status < 500) {
    const kept = thrownWith(Buffer.from(body), error);
    const { vary, isForOneClient, needsValidation } = sharing;
    return {
      status: status < 400 ? THROWN_REDIRECT : status,
      headers: vary === undefined ? exceptionHeaders : [...exceptionHeaders, ['vary', vary]],
      body: kept,
      isUncacheable: true,
      isForWaiting: isForWaiting(status) && !isForOneClient && !needsValidation,
    };
  }
  // The handler may have stopped with its client: that says nothing about the origin.
  if (hasLeft) throw new AbandonedLoad({ cause: error });
  // A filter may distinguish the error from the one that other requests would get in its place, and answer differently.
  const rebuilt = status === undefined ? new AppError('internal', '') : exceptionOf(body, status);
  if (!isRebuilt(error) && (catches(filters, error) || catches(filters, rebuilt)))
    throw new UnkeptFailure(error, status);
  if (status === undefined) throw error;
  throw new StatusFailure(status, `The origin answered ${status}.`, body, { cause: error });
}

/** The error for the application's exception filters. */
export function fromLoadError(error: unknown): unknown {
  if (error instanceof UnkeptFailure || error instanceof AbandonedLoad) return error.cause;
  if (!(error instanceof StatusFailure)) return error;
  // An error of another replica is restored from its stored text.
  return error.cause ?? exceptionOf(error.body, error.status);
}

/** Nest's response body for the error: other replicas get nothing more. */
function bodyOf(error: unknown, status: number): string {
  if (error instanceof HttpException) return JSON.stringify(error.getResponse());
  return JSON.stringify({ statusCode: status, message: filter.getHttpErrorMessage(error as never) });
}
