import { parseDirectives } from '../law/directives';
import { entityTag, weakened } from '../law/representation';
import { isSuccess } from '../law/response-policy';
import type { Fields } from './client-reply';
import { valueFields } from '../values/handed-value';
import { BINARY_TYPE } from '../values/stored-value';
import { CacheableResult, type HandlerResult, type NotModified, type Sharing } from './handler-answer';
import { isForWaiting } from './handler-error';
import { keptHeaders, varyingNames } from './kept-fields';
import type { LoadFields, LoadReply } from './load-reply';
import type { CachedRoute } from './route-rule.reader';

/** Storable responses, made of a handler's result and its reply's fields. */

/** RFC 9110 §8.8.3 */
const ENTITY_TAG = /^(?:W\/)?"[\x21\x23-\x7e\x80-\xff]*"$/;

/** A load of a route, as far as it is over. */
export interface LoadResult {
  readonly route: Pick<CachedRoute, 'rule' | 'nest'>;
  readonly reply: Pick<LoadReply, 'represent' | 'isAmbiguous'>;
  readonly fields: LoadFields;
  readonly sharing: Sharing;
}

/** The response of a handler's value. */
export function responseOfValue(value: unknown, { route, reply, fields, sharing }: LoadResult): HandlerResult {
  const { rule, nest } = route;
  const result = value instanceof CacheableResult ? value : new CacheableResult(value);
  const { validators = {}, tags = [], derivedFrom } = result.origin;
  const ofRoute = Object.entries(fields.before).filter(([name]) => nest.fieldNames.has(name));
  const given: Fields = { ...Object.fromEntries(ofRoute), ...fields.set };
  const named = given['content-type']?.toString();
  const { body, type } = nest.isHandedOn
    ? { body: jsonOf(result.value), type: named } // the framework gives it its type when it is sent
    : reply.represent(result.value, named);
  const kept = keptHeaders({ ...given, vary: sharing.vary, 'content-type': type });
  // Interceptors around may change the value: its tag is then a field like any other, and no condition is compared with it.
  const headers = nest.isHandedOn ? valueFields(kept) : kept.filter(([name]) => name !== 'etag');
  const etag = (nest.isHandedOn ? undefined : entityTagIn(given)) ?? entityTag(body);
  const { status } = fields;
  const isStated = isSuccess(status) || given['cache-control'] !== undefined;
  // The fields may lack some of the load's: no other request may get them.
  const isForOne = sharing.isForOneClient || (nest.mayTouchReply && reply.isAmbiguous);
  return {
    ...{ status, headers, body, validators, tags },
    etag: rule.hitFlagName === undefined ? etag : weakened(etag),
    ...(derivedFrom && { derivedFrom }),
    isUncacheable: isForOne || !isStated,
    isForWaiting: isForWaiting(status) && !isForOne && !sharing.needsValidation,
  };
}

/** A 304, with the fields that replace stored ones (RFC 9111 §3.2). */
export function responseOfValidation(
  { headers }: NotModified,
  { fields, sharing }: Pick<LoadResult, 'fields' | 'sharing'>,
): HandlerResult {
  const ofHandler = keptHeaders({ ...fields.set, vary: sharing.vary });
  const updating = ofHandler.filter(([name]) => name !== 'etag' && !name.startsWith('content-'));
  const ofOrigin = headers.map(([name, text]) => [name.toLowerCase(), text] as const);
  return {
    status: 304,
    headers: [...updating, ...ofOrigin],
    body: Buffer.alloc(0),
    isUncacheable: sharing.isForOneClient,
  };
}

/** Fastify's way with text: JSON under a type without a charset gets one. */
export function withCharset(given: string, type: string | undefined): string {
  const isText = type !== undefined && type !== BINARY_TYPE;
  return isText && /^[^;]*json/i.test(given) && !/;\s*charset\s*=/i.test(given) ? `${given}; charset=utf-8` : given;
}

/** Which requests may share the response, by the handler, its rule, and a hook or a guard in front of it. */
export function sharingOf(fields: LoadFields, { rule, nest }: LoadResult['route']): Sharing {
  const { set, before } = fields;
  const control = parseDirectives([set['cache-control'] ?? [], before['cache-control'] ?? []].flat().map(String));
  const hasCookie = (set['set-cookie'] ?? before['set-cookie']) !== undefined;
  const isForOneClient = control.has('no-store') || control.has('private') || hasCookie || namesOrigin(set);
  const needsValidation = control.has('no-cache');
  return { isForOneClient, needsValidation, vary: selectingFields(fields, rule.vary, nest.fieldNames.has('vary')) };
}

/** The request fields that select the response, named by the handler, its rule, a hook or a guard. */
function selectingFields(
  { set, before }: LoadFields,
  vary: readonly string[] = [],
  isOfRoute: boolean,
): string | undefined {
  // A hook that sets CORS fields sets them on each response, hits included: the fields that it varies by do not select the stored
  // response.
  const ofHooks = varyingNames([before['vary'] ?? ''].join()).filter((name) => isOfRoute || name !== 'origin');
  const names = new Set([...ofHooks, ...varyingNames([set['vary'] ?? '', ...vary].join())]);
  return names.size === 0 ? undefined : [...names].join(', ');
}

/**
 * Whether the handler allows one origin to read the response: a page of another origin could not read it
 * (https://fetch.spec.whatwg.org/#cors-check).
 */
function namesOrigin(set: Fields): boolean {
  const allowed = [set['access-control-allow-origin'] ?? '*'].flat().join();
  return allowed.trim() !== '*';
}

function jsonOf(value: unknown): Buffer {
  return Buffer.from(value === undefined ? '' : JSON.stringify(value));
}

/** The handler's entity tag; undefined without a valid one. */
function entityTagIn({ etag }: Fields): string | undefined {
  const tag = String([etag ?? ''].flat()[0]).trim();
  return ENTITY_TAG.test(tag) ? tag : undefined;
}
