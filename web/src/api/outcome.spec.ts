import { verdictOf } from './outcome';

describe('the sentence on a miss', () => {
  it.each([
    ['larder; fwd=uri-miss; stored; detail=MISS/upstream', 200, 'max-age=60', 'its answer is stored'],
    ['larder; fwd=uri-miss; detail=MISS/upstream', 200, 'private, no-store', 'may not be stored'],
    ['larder; fwd=uri-miss; detail=MISS/upstream', 422, '', 'may not be stored'],
    [
      'larder; fwd=uri-miss; detail=MISS/upstream',
      200,
      'public, max-age=60',
      'was not known yet when the answer began',
    ],
  ])('for %s, status %i and "%s" says: %s', (cacheStatus, status, cacheControl, words) => {
    const headers = [['cache-status', cacheStatus] as const, ['cache-control', cacheControl] as const];
    const sent = { method: 'GET', path: '/github/users/redis', headers: [] };
    expect(verdictOf({ status, headers, sent }).sentence).toContain(words);
  });
});
