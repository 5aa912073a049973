import { Failure } from '../api/failure';
import { pathIn } from './path-in';

describe('the path in a text', () => {
  it.each([
    ['users/redis', '/users/redis', ''],
    ['/github/users/redis?per_page=1', '/users/redis?per_page=1', ''],
    ['/repos/redis/redis/compare/1.0...2.0', '/repos/redis/redis/compare/1.0...2.0', ''],
    ['/search/code?q=../x', '/search/code?q=../x', ''],
    ['https://api.github.com/users/redis', '/users/redis', 'https://api.github.com'],
    ['/users/redis#top', '/users/redis', '#top'],
  ])('of %s is %s', (text, path, dropped) => {
    const target = pathIn(text, '/github');
    expect(target).toMatchObject({ path, dropped: expect.stringContaining(dropped) as string });
    if (dropped === '') expect(target).toHaveProperty('dropped', '');
  });

  it.each(['/users/..', '/../admin/cache/entries', '/users/%2E%2e/x', '/users/.%2e', '/./users', '/users\\..\\x'])(
    'is refused for %s, which a browser would change',
    (text) => expect(pathIn(text, '/github')).toBeInstanceOf(Failure),
  );
});
