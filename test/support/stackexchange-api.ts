import { gzipSync } from 'node:zlib';
import type { OriginHit, OriginScript, ScriptedOrigin } from './scripted-origin';

interface Tag {
  readonly name: string;
  count: number;
}

/** Stack Exchange's API as far as the tests ask it: always gzip, `private`, one wrapper around everything, errors are 400. */
export class StackExchangeApi {
  readonly tags = new Map<string, Tag>(
    [
      ['redis', 25_431],
      ['c#', 1_625_117],
      ['Case', 7],
    ].map(([name, count]) => [String(name), { name: String(name), count: Number(count) }]),
  );
  titles = new Map([['11227809', 'Why is processing a sorted array faster?']]);
  quota = 10_000;
  backoff: number | undefined;
  /** Goes away: each connection is cut. */
  isDown = false;
  /** Answers each request by an error of the API: `502` is a violated limit. */
  error: { readonly id: number; readonly name: string; readonly message: string } | undefined;

  static of(origin: ScriptedOrigin): StackExchangeApi {
    const api = new StackExchangeApi();
    origin.answerBy(api.script);
    return api;
  }

  readonly script: OriginScript = (response, hit) => {
    if (this.isDown) {
      response.socket?.destroy();
      return;
    }
    const error = this.error ?? undefined;
    if (!error && this.quota > 0) this.quota -= 1;
    const found = error ?? this.answer(hit);
    const isError = 'id' in found;
    const limits = {
      quota_max: 10_000,
      quota_remaining: this.quota,
      ...(this.backoff !== undefined && { backoff: this.backoff }),
    };
    const body = isError
      ? { error_id: found.id, error_message: found.message, error_name: found.name }
      : { ...found, ...limits };
    response
      .writeHead(isError ? 400 : 200, {
        ...{
          'content-type': 'application/json; charset=utf-8',
          'content-encoding': 'gzip',
          'cache-control': 'private',
        },
        ...{ 'access-control-allow-origin': '*', 'access-control-allow-credentials': 'false' },
      })
      .end(gzipSync(JSON.stringify(body)));
  };

  private answer({ method, url, body }: OriginHit) {
    const { pathname, searchParams } = new URL(url, 'http://api');
    const [version, kind = '', id = '', below = ''] = pathname.split('/').slice(1).map(decodeURIComponent);
    const page = Number(searchParams.get('page') ?? 1);
    const site = searchParams.get('site') ?? new URLSearchParams(body.toString()).get('site');
    if (version !== '2.3' || !['tags', 'questions', 'answers', 'me'].includes(kind))
      return { id: 404, name: 'no_method', message: 'no method found with this name' };
    if (site === null) return { id: 400, name: 'bad_parameter', message: 'site is required' };
    const token = searchParams.get('access_token');
    if (kind === 'me' && token === null)
      return { id: 403, name: 'access_denied', message: '`key` is required when `access_token` is passed.' };
    if (kind === 'me')
      return { items: [{ user_id: 1, display_name: `the owner of ${token?.length} letters` }], has_more: false };
    if (kind === 'tags') {
      const all = [...this.tags.values()];
      const items = below === 'info' ? all.filter(({ name }) => name === id) : all.slice(page * 2 - 2, page * 2);
      return { items, has_more: below !== 'info' && all.length > page * 2 };
    }
    if (method === 'POST' && below === 'edit')
      this.titles.set('11227809', new URLSearchParams(body.toString()).get('title') ?? '');
    const title = this.titles.get('11227809');
    const items = [{ question_id: 11_227_809, title, ...(kind === 'answers' && { answer_id: Number(id) }) }];
    return { items, has_more: false };
  }
}
