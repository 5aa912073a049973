import {
  BadGatewayException,
  BadRequestException,
  ForbiddenException,
  HttpException,
  NotFoundException,
} from '@nestjs/common';
import { statusProblemOf, toAppError } from './to-app-error';

const request = { method: 'GET', url: '/nowhere?x' };
const withDocs = (path: string): readonly string[] => (path === '/docs' ? ['GET'] : []);

describe('what was thrown, as a problem,', () => {
  it.each([
    ['limit: must be a whole number from 1 to 1000', 'limit must be a whole number from 1 to 1000'],
    ['keys.0: Invalid input: expected string, received number', 'keys.0 must be of the type string, not number'],
    ['Invalid input: expected object, received array', 'The input must be of the type object, not array'],
    ['mode: Invalid option: expected one of "purge"|"stale"', 'mode must be one of "purge"|"stale"'],
    ['Unrecognized key: "x"', 'Unrecognized key: "x"'],
  ])('says of %j what to do', (thrown, detail) => {
    const { code, message } = toAppError(new BadRequestException([thrown]), request, withDocs);
    expect([code, message]).toEqual(['request-invalid', detail]);
  });

  it('names /docs, or the page, only where it is', () => {
    const at = (allowed: typeof withDocs) => toAppError(new NotFoundException(), request, allowed).message;
    expect(at(withDocs)).toBe('There is no GET /nowhere. The routes are listed at /docs.');
    expect(at((path) => (path === '/' ? ['GET'] : []))).toBe(
      'There is no GET /nowhere. The page at / shows what there is.',
    );
    expect(at(() => [])).toBe('There is no GET /nowhere on this port.');
  });

  it.each([
    [new ForbiddenException('not for you'), { status: 403, detail: 'not for you' }],
    [new NotFoundException('no such item'), { status: 404, detail: 'no such item' }],
    [
      new HttpException({ message: ['a is wrong', 'b is wrong'] }, 422),
      { status: 422, detail: 'a is wrong; b is wrong' },
    ],
    [new BadGatewayException('closed'), { status: 502, detail: 'closed' }],
    [new NotFoundException('Cannot GET /nowhere?x'), undefined],
    [new HttpException('too large', 413, { cause: { statusCode: 413 } }), undefined],
    [new BadRequestException(), undefined],
    [new Error('no'), undefined],
  ])('%s keeps its status if it is of a route', (thrown, problem) => {
    expect(statusProblemOf(thrown, request)).toEqual(problem);
  });

  it.each([
    [{ statusCode: 415 }, 'Send Content-Type: application/json.'],
    [
      { statusCode: 400, code: 'FST_ERR_BAD_URL' },
      'The path has an invalid percent-encoding. Encode a % that is meant as it is as %25.',
    ],
  ])('%j is request-invalid: %s', (thrown, detail) => {
    const { code, message } = toAppError(Object.assign(new Error('no'), thrown), request, withDocs);
    expect([code, message]).toEqual(['request-invalid', detail]);
  });
});
