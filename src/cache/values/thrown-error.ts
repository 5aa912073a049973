import { HttpException } from '@nestjs/common';
import { HttpErrorByCode } from '@nestjs/common/utils/http-error-by-code.util.js';
import { BaseExceptionFilter } from '@nestjs/core';
import { AppError } from '../../kernel/app-error';
import { StatusFailure, UnkeptFailure } from '../engine/load-failure';
import { AbandonedLoad } from '../engine/loader';

/** Errors as Nest answers them: their statuses and bodies, and how they are restored for other callers. */

/** Nest's own classes, by their statuses. */
const CLASSES = HttpErrorByCode as unknown as Readonly<Record<number, typeof HttpException | undefined>>;
const filter = new BaseExceptionFilter();

/** The status that Nest gives an error, unless it is the default 500. Errors of the service have codes instead. */
export function statusOf(error: unknown): number | undefined {
  if (error instanceof AppError) return undefined;
  if (error instanceof HttpException) return error.getStatus();
  return filter.isHttpError(error) ? error.statusCode : undefined;
}

/** The error for the application's exception filters. */
export function fromLoadError(error: unknown): unknown {
  if (error instanceof UnkeptFailure || error instanceof AbandonedLoad) return error.cause;
  if (!(error instanceof StatusFailure)) return error;
  // An error of another replica is restored from its stored text.
  return error.cause ?? exceptionOf(error.body, error.status);
}

/** Whether requests during a pause, or on another replica, get an error of the same class. */
export function isRebuilt(error: unknown): boolean {
  if (error instanceof AppError) return error.constructor === AppError;
  return error instanceof HttpException && error.constructor === (CLASSES[error.getStatus()] ?? HttpException);
}

/** Nest's response body for the error: other replicas get nothing more. */
export function errorBodyOf(error: unknown, status: number): string {
  if (error instanceof HttpException) return JSON.stringify(error.getResponse());
  return JSON.stringify({ statusCode: status, message: filter.getHttpErrorMessage(error as never) });
}

/**
 * An exception of Nest's class for the status, by which filters (`@Catch(NotFoundException)`) recognise it.
 *
 * @param body the result of `getResponse()`, as JSON
 */
export function exceptionOf(body: string, status: number): HttpException {
  const response = JSON.parse(body) as string | Record<string, unknown>;
  // Not by the class's own constructor, which would change the body for a text.
  return Reflect.construct<[response: typeof response, status: number], HttpException>(
    HttpException,
    [response, status],
    CLASSES[status] ?? HttpException,
  );
}
