import {
  tagOfUpstream,
  type HeaderList,
  type StreamedAnswer,
  type StreamingOrigin,
  type BodySource,
  type StreamingResponse,
} from '../../cache';
import { isUnsafe, valueOf, valuesOf } from '../../cache/law';
import { AppError } from '../../kernel/app-error';
import { parsedJson } from '../../kernel/json';
import { bufferSmallBody, type PeekLimits } from '../buffered-body';
import type { UpstreamContext } from '../upstream-context';
import type { WriteEffects } from '../upstream-definition';
import { Coalesced } from './coalesced';
import { callerTag, callerTags, notCached, pathTag } from './gateway-tags';
import type { Partition } from './partition';
import { parseTarget, withoutEmptySegments, type RequestTarget } from './request-target';

/** A request that may change something. */
export interface Write {
  readonly method: string;
  readonly target: RequestTarget;
  readonly partition: Partition;
  /** The body that was sent, where it is small. */
  readonly body: () => Buffer | undefined;
}

/** The changes in the answer to a write; `tags` is undefined where anything may have changed. */
interface WriteChanges {
  readonly tags: readonly string[] | undefined;
  readonly body: BodySource;
}

/** An answer that has to name what was changed is read so far before it goes on to the client; a larger or slower one names nothing. */
const READ: PeekLimits = { maxBytes: 262_144, maxMs: 1_000 };

/**
 * Requests that go through to the upstream: every method except GET and HEAD.
 *
 * Its one invariant: a response that a write has changed is not served as fresh to any caller once the client has the first byte of the
 * write's answer (RFC 9111 §4.4). Where neither the request nor the answer names the changes, every response of the upstream is validated
 * before its next use: it is kept, because the upstream may fail, and most of it has not changed.
 */
export class GatewayWrites {
  private readonly everything: Coalesced;

  constructor(private readonly upstream: UpstreamContext) {
    const tag = tagOfUpstream(upstream.api.name);
    this.everything = new Coalesced(async () => {
      await this.settle([tag]);
      await upstream.parts.cache.invalidate({ kind: 'tag', tag }, 'stale', 'write');
    });
  }

  async passOn(
    write: Write,
    headers: HeaderList,
    signal: AbortSignal,
    origin: StreamingOrigin,
  ): Promise<StreamedAnswer> {
    const { method } = write;
    const answer = await origin({ method, headers, signal, isBackground: false }).catch(async (error: unknown) => {
      // The write may have been sent, and done: no answer will say so.
      if (isUnsafe(method) && !isUnsent(error)) await this.invalidateAfter(write, [], this.tagsOfFailure(write));
      throw error;
    });
    const { status, headers: answered } = answer;
    // A 5xx may come from something between: the write may have been done. RFC 9111 §4.4 asks for a purge after 2xx and 3xx only.
    const mayBeDone = status >= 500 && !this.upstream.settings.isStrict;
    const hasChanged = isUnsafe(method) && (status < 400 || mayBeDone);
    const { tags, body } = hasChanged ? await this.read(write, answer) : { tags: [], body: answer.body };
    const failure = hasChanged ? await this.invalidateAfter(write, answered, tags) : undefined;
    const facts = {
      outcome: 'BYPASS',
      tier: 'upstream',
      forwarded: notCached(method),
      ...(failure && { failure }),
    } as const;
    return { kind: 'streamed', status, headers: answered, body, ...facts };
  }

  /** The changes in the answer, read before the client as far as necessary. */
  private async read(write: Write, { status, headers, body }: StreamingResponse): Promise<WriteChanges> {
    const tagsOf = this.answerTagsOf(write);
    if (!tagsOf || (status >= 300 && status < 400)) return { tags: [], body }; // a redirection has done nothing here
    if (status >= 500) return { tags: this.tagsOfFailure(write), body };
    if (Number(valueOf(headers, 'content-length') ?? 0) > READ.maxBytes) return { tags: tagsOf(undefined), body };
    const peeked = await bufferSmallBody(body, valueOf(headers, 'content-encoding'), READ);
    return { tags: tagsOf(parsedJson(peeked.text)), body: peeked.body };
  }

  /**
   * A write without an answer may have been done. A caller without a credential, or with one that the upstream has not accepted yet, has
   * most likely written nothing: such callers cannot make everything stale by aborting requests.
   */
  private tagsOfFailure(write: Write): readonly string[] | undefined {
    const { own, id } = write.partition;
    const mayWrite = own !== undefined && (this.upstream.limits?.credentials.hasAccepted(id) ?? true);
    return mayWrite ? this.answerTagsOf(write)?.(undefined) : [];
  }

  /** How to read the answer to a write for changes that the request does not reveal; undefined where the request says everything. */
  private answerTagsOf({ method, target, body }: Write): ReturnType<NonNullable<WriteEffects['answerTags']>> {
    const { definition, tagOf } = this.upstream;
    const tagsOf = definition.writes?.answerTags?.(withoutEmptySegments(target.path), method, body());
    return tagsOf && ((answer) => tagsOf(answer)?.map(tagOf));
  }

  /**
   * @param changedTags tags of the changes in the answer, undefined for anything
   * @returns undefined, or the reason why it could not be confirmed: the client still gets the answer, because the write is done
   */
  private async invalidateAfter(
    { method, target, partition, body }: Write,
    answered: HeaderList,
    changedTags: readonly string[] | undefined,
  ): Promise<string | undefined> {
    const { api, callers, definition, parts, tagOf } = this.upstream;
    const { writes = {} } = definition;
    const sent = body();
    const path = withoutEmptySegments(target.path);
    const { baseUrl, name } = api;
    const root = new URL(`${baseUrl}/`).href;
    const others = [...valuesOf(answered, 'location'), ...valuesOf(answered, 'content-location')].flatMap((value) => {
      const base = `${baseUrl}${target.path}`;
      const url = URL.canParse(value, base) ? new URL(value, base).href : '';
      return url.startsWith(root) ? pathAsKeyed(url.slice(root.length - 1)) : [];
    });
    const tags = new Set([
      ...[path, ...others].flatMap((changed) => [
        pathTag(name, changed),
        ...(writes.tags?.(changed, method, changed === path ? sent : undefined) ?? []).map(tagOf),
      ]),
      ...(changedTags ?? []),
      ...(writes.tokensEnded?.(path, method, sent) ?? [])
        .flatMap((token) => callers.partitions?.idsOf(token) ?? [])
        .map(callerTag),
      ...(writes.changesCaller?.(path, method, sent) === true ? callerTags(partition) : []),
    ]);
    const all = [...tags];
    try {
      await this.settle(all);
      await Promise.all([
        parts.cache.invalidate(
          all.map((tag) => ({ kind: 'tag' as const, tag })),
          'purge',
          'write',
        ),
        ...(changedTags === undefined ? [this.everything.run()] : []),
      ]);
      return undefined;
    } catch (error) {
      if (error instanceof AppError && error.code === 'cache-unavailable') return error.code;
      throw error;
    }
  }

  /** In the strict profile what a write has changed is stored like anything else afterwards. */
  private async settle(tags: readonly string[]): Promise<void> {
    if (!this.upstream.settings.isStrict) await this.upstream.settle(tags);
  }
}

/** Whether the request has certainly not reached the upstream. */
function isUnsent(error: unknown): boolean {
  return error instanceof AppError && NOT_SENT.has(error.code);
}

const NOT_SENT: ReadonlySet<string> = new Set(['upstream-paused', 'upstream-rate-limited', 'deadline-exceeded']);

/** The path of a URL as requests for it are keyed, or none, if there can be no such request. */
function pathAsKeyed(url: string): readonly string[] {
  try {
    return [withoutEmptySegments(parseTarget(url.split(/[?#]/, 1)[0] ?? '/').path)];
  } catch (error) {
    if (error instanceof AppError) return [];
    throw error;
  }
}
