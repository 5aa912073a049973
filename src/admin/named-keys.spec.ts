import { namedKeys } from './named-keys';

describe('the key that a URL names', () => {
  it.each([
    ['github:-:/users/redis', ['github:-:/users/redis']],
    ['github%3A-%3A%2Fusers%2Fredis', ['github:-:/users/redis', 'github%3A-%3A%2Fusers%2Fredis']],
    ['github:-:/users/redis?per_page=5', ['github:-:/users/redis?per_page=5']],
    ['github:-:/users/redis%3Fper_page=5', ['github:-:/users/redis?per_page=5', 'github:-:/users/redis%3Fper_page=5']],
    ['github:-:/a%252Fb', ['github:-:/a%2Fb', 'github:-:/a%252Fb']],
    ['github:-:/', ['github:-:/']],
    ['100%', ['100%']],
    ['', ['']],
  ])('%s may be %j', (written, keys) => {
    expect(namedKeys(`/admin/cache/entries/${written}`)).toEqual(keys);
    expect(namedKeys(`http://h:1/%61dmin/cache/entries/${written}`)).toEqual(keys);
  });
});
