import { HttpException } from '@nestjs/common';
import { AppError } from '../../kernel/app-error';
import { kindOfProblem } from '../../kernel/problem-table';
import { StatusFailure, UnkeptFailure } from '../engine/load-failure';
import { AbandonedLoad } from '../engine/loader';
import { NEGATIVE } from '../law/cache-policy';
import type { CacheEntry, HeaderList } from '../model/cache-entry';
import { errorBodyOf, exceptionOf, isRebuilt, statusOf } from '../values/thrown-error';
import type { HandlerResult, Sharing } from './handler-answer';
import type { NestRoute } from './nest-route';

/*
 * Errors of a handler. An error that Nest answers with a status below 500 is an answer; "not found" may be stored. A status from 500 is a
 * failure. Errors that are answers are thrown again for each request, so that the application's exception filters make the response.
 */

/** Marks entries of exceptions; its value is the code of an `AppError`, else empty. Never sent. */
const MARK = 'larder-exception';

/** Answers about the resource, the same for every client that requests it now. */
const OF_THE_RESOURCE: ReadonlySet<number> = new Set([404, 409, 410, 422]);

/**
 * For the cache every exception below 400 is a redirect of one request, whatever its status: an exception filter makes the response. A 304
 * would count as a validation, a 204 as a representation.
 */
export const ONE_REQUESTS_REDIRECT = 302;

/** Whether waiting requests may get a response of this status although it is not stored. */
export function isForWaiting(status: number): boolean {
  return OF_THE_RESOURCE.has(status);
}

export interface Circumstances {
  readonly nest: Pick<NestRoute, 'catches' | 'isHandedOn'>;
  /** Whether "not found" is stored. */
  readonly keepsNegatives: boolean;
  readonly sharing: Sharing;
  /** Whether the client disconnected before it had its whole response. */
  readonly hasLostClient: boolean;
}

/**
 * The response for an error of the handler that is an answer: data like any other.
 *
 * @throws the error with which the load fails, for every other one
 */
export function responseOfError(error: unknown, circumstances: Circumstances): HandlerResult {
  const { vary, isForOneClient, needsValidation } = circumstances.sharing;
  const varying: HeaderList = vary === undefined ? [] : [['vary', vary]];
  const isKept = isStorable(error, circumstances);
  const status = isKept ? error.getStatus() : statusOf(error);
  if (status === undefined || status >= 500) throw failureOf(error, status, circumstances);
  const body = Buffer.from(errorBodyOf(error, status));
  if (typeof error === 'object' && error !== null) thrown.set(body, error);
  const headers: HeaderList = [[MARK, error instanceof AppError ? error.code : ''], ...varying];
  return {
    status: status < 400 ? ONE_REQUESTS_REDIRECT : status,
    ...{ headers, body },
    isUncacheable: isForOneClient || !isKept,
    isForWaiting: isForWaiting(status) && !isForOneClient && !needsValidation,
  };
}

/** The error that was stored as an entry. */
export function exceptionIn(entry: CacheEntry): object | undefined {
  const { status } = entry;
  if (status < 300) return undefined;
  const [, code] = entry.headers.find(([name]) => name === MARK) ?? [];
  if (code === undefined) return undefined;
  const { body } = entry;
  const known = thrown.get(body);
  if (known) return known;
  if (code === '') return exceptionOf(body.toString(), status);
  return new AppError(code, (JSON.parse(body.toString()) as { message: string }).message);
}

/** Whether it may be stored: "not found", and what the problem table says is an answer. */
function isStorable(error: unknown, { keepsNegatives }: Circumstances): error is HttpException {
  if (error instanceof AppError) return kindOfProblem(error.code).isAnswer === true;
  return keepsNegatives && error instanceof HttpException && NEGATIVE.has(error.getStatus());
}

/** The original errors for requests that wait for the same load, by the body of their response. */
const thrown = new WeakMap<Buffer, object>();

/** The error with which the load fails. */
function failureOf(error: unknown, status: number | undefined, { hasLostClient, nest }: Circumstances): unknown {
  // The handler may have stopped with its client: that says nothing about the origin.
  if (hasLostClient) return new AbandonedLoad({ cause: error });
  const body = status === undefined ? '' : errorBodyOf(error, status);
  // A filter may distinguish the error from the one that other requests would get in its place, and answer differently.
  const rebuilt = status === undefined ? new AppError('internal', '') : exceptionOf(body, status);
  if (!isRebuilt(error) && (nest.catches(error) || nest.catches(rebuilt))) return new UnkeptFailure(error, status);
  if (status === undefined) return error;
  return new StatusFailure(status, `The origin answered ${status}.`, body, { cause: error });
}
