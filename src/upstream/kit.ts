/** `larder/upstream`: what another team imports to put an API behind the cache. docs/guides/add-an-upstream.md */
export { defineUpstream, DefinitionError } from './define-upstream';
export type {
  GatewayProblem,
  SettingsShape,
  UpstreamDefinition,
  UpstreamSettings,
  WriteEffects,
} from './upstream-definition';
export { getUpstreamToken, InjectUpstream, UpstreamModule, type UpstreamFeature } from './upstream.module';
export { UpstreamClient, type FetchedResponse, type FetchOptions, type GetOptions } from './upstream-client';
export type { UpstreamReply } from './upstream-replies';
export type { UpstreamResponse } from './upstream-fetcher';
export { CurrentLoad, type HandlerLoad } from '../cache';
export { AppError } from '../kernel/app-error';
export { ProjectionOf, type ProjectionOptions } from './projection';
export type { PathValues } from './path-template';
export type { Projected, ProjectionSource } from './projection-source';
export { bearer, plainSpelling, type Credential, type CredentialRules } from './gateway/credentials';
export { ietfLimits } from './budget/ietf-limits';
export { bodyLimits, fieldLimits, noLimits, retryAfterLimits } from './budget/limit-adapters';
export type { LimitedAnswer, RateLimitAdapter } from './budget/rate-limit-adapter';
export type { LimitReading, ResourceLimit } from './budget/credential-budget';
export {
  anyVerifier,
  hmacSignature,
  plainToken,
  standardWebhooks,
  type BodyCheck,
  type WebhookVerifier,
} from './webhooks/webhook-verifiers';
export type { WebhookDefinition, WebhookEffect } from './webhooks/webhook-definition';
export type { DocumentedPath, DocumentedPaths } from './open-api';
