import { shallowRef } from 'vue';
import { requestJson } from './http';

/** The service's facts for the page (`GET /page.json`). */
export interface PageInfo {
  readonly version: string;
  readonly gatewayPrefix: string;
  readonly swagger: string | null;
  readonly metrics: string | null;
  /** Whether there is an admin API. */
  readonly admin: boolean;
  readonly redis: boolean;
  readonly ttlSeconds: number;
  readonly paths: readonly SuggestedPath[];
  readonly demo: DemoControls | null;
}

export interface SuggestedPath {
  readonly path: string;
  readonly summary: string;
}

export interface DemoControls {
  readonly control: string;
  readonly race?: string;
}

/** Defaults until `/page.json` has been read, and where it cannot be. */
const PRESUMED: PageInfo = {
  version: '',
  gatewayPrefix: '/github',
  swagger: '/docs',
  metrics: '/metrics',
  admin: true,
  redis: false,
  ttlSeconds: 3600,
  paths: [
    { path: '/users/{username}', summary: 'A user or organization' },
    { path: '/repos/{owner}/{repo}', summary: 'A repository' },
  ],
  demo: null,
};

export const pageInfo = shallowRef<PageInfo>(PRESUMED);

export async function loadPageInfo(): Promise<void> {
  const info = await requestJson<Partial<PageInfo>>('/page.json').catch(() => ({}));
  pageInfo.value = { ...PRESUMED, ...info };
}
