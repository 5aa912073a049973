/** The entry point for gateways and others whose hits take the fast path. */
export { FastPath, type EntryPoint } from './fast-path';
export { Fingerprints, type FieldKind, type RequestFingerprint } from './request-fingerprint';
export { PreparedResponse, type HeadContext, type Presentation } from './prepared-response';
export { PreparedResponses } from './prepared-responses';
export { requireRoomFor, writeStored } from './response-writer';
export type { FlatFields } from './serialized-head';
