/** The entry point of the law: RFC 9110, 9111 and 5861 as pure functions, for every part that handles HTTP messages. */
export { ageMs, freshForMs, isFresh } from './freshness';
export { acceptsGzip, identityBody } from './content-coding';
export type { CachePolicy } from './cache-policy';
export { decodedBody, decodedWhole, isKnownCoding } from './coded-body';
export { isNotModified } from './conditions';
export { responseForm } from './response-form';
export { splitList } from './directives';
export { EVERY_FIELD, joinedNames, selectionKey } from './selection';
export { requestPolicy } from './request-policy';
export { SURROGATE } from './response-policy';
export { isUnsafe } from './update';
export { parseHttpDate } from './http-date';
export { endToEnd, toHeaderList, valueOf, valuesOf } from './fields';
