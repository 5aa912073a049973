import {
  BadGatewayException,
  BadRequestException,
  ConflictException,
  ForbiddenException,
  GatewayTimeoutException,
  GoneException,
  HttpException,
  HttpVersionNotSupportedException,
  ImATeapotException,
  InternalServerErrorException,
  MethodNotAllowedException,
  MisdirectedException,
  NotAcceptableException,
  NotFoundException,
  NotImplementedException,
  PayloadTooLargeException,
  PreconditionFailedException,
  RequestTimeoutException,
  ServiceUnavailableException,
  UnauthorizedException,
  UnprocessableEntityException,
  UnsupportedMediaTypeException,
} from '@nestjs/common';
import { AppError, type ErrorCode } from '../../kernel/app-error';
import type { CacheEntry, HeaderList } from '../model/cache-entry';
import type { KeptProblem } from './response-cache.options';

/**
 * Exceptions that a rule keeps (`negativeTtlMs`), and errors of the service on routes whose values are handed on: they are thrown again
 * for each request, so that the application's exception filters make the response.
 */

/** Marks their entries. Never sent: no such entry goes to a client. */
const MARK = 'larder-http-exception';
const ERROR_MARK = 'larder-app-error';

/** Nest's own classes, by their statuses. */
const CLASSES: ReadonlyMap<number, typeof HttpException> = new Map(
  [
    BadGatewayException,
    BadRequestException,
    ConflictException,
    ForbiddenException,
    GatewayTimeoutException,
    GoneException,
    HttpVersionNotSupportedException,
    ImATeapotException,
    InternalServerErrorException,
    MethodNotAllowedException,
    MisdirectedException,
    NotAcceptableException,
    NotFoundException,
    NotImplementedException,
    PayloadTooLargeException,
    PreconditionFailedException,
    RequestTimeoutException,
    ServiceUnavailableException,
    UnauthorizedException,
    UnprocessableEntityException,
    UnsupportedMediaTypeException,
  ].map((type) => [new type().getStatus(), type as unknown as typeof HttpException]),
);

export const exceptionHeaders: HeaderList = [[MARK, '1']];

export function isNotFound(error: unknown): error is HttpException {
  if (!(error instanceof HttpException) || error instanceof AppError) return false;
  return error.getStatus() === 404 || error.getStatus() === 410;
}

export function problemOfException(error: HttpException): KeptProblem {
  return { status: error.getStatus(), body: Buffer.from(JSON.stringify(error.getResponse())) };
}

/** An error of the service, stored so that it can be thrown again. */
export function thrownError({ code, message }: AppError, { status }: KeptProblem): [KeptProblem, HeaderList] {
  return [{ status, body: Buffer.from(JSON.stringify(message)) }, [[ERROR_MARK, code]]];
}

/** The original errors for requests that wait for the same load, by the body of their response. */
const thrown = new WeakMap<Buffer, object>();

/** The body of an error's response, with the error itself for this process. */
export function thrownWith(body: Buffer, error: unknown): Buffer {
  if (typeof error === 'object' && error !== null) thrown.set(body, error);
  return body;
}

/** The error that was stored as an entry. */
export function exceptionIn(entry: CacheEntry): object | undefined {
  const { status } = entry;
  if (status < 300) return undefined;
  const [name, value] = entry.headers.find(([field]) => field === MARK || field === ERROR_MARK) ?? [];
  if (name === undefined) return undefined;
  const { body } = entry;
  const known = thrown.get(body);
  if (known) return known;
  if (name === MARK) return exceptionOf(body.toString(), status);
  return new AppError(value as ErrorCode, JSON.parse(body.toString()) as string);
}

/** Whether requests during a pause, or on another replica, get an error of the same class. */
export function isRebuilt(error: unknown): boolean {
  if (error instanceof AppError) return error.constructor === AppError;
  return error instanceof HttpException && error.constructor === (CLASSES.get(error.getStatus()) ?? HttpException);
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
    CLASSES.get(status) ?? HttpException,
  );
}
