import type { GithubSimulator } from '../../simulator';
import { request } from '../support/raw-http';
import { ServiceProcess } from '../support/service-process';

export const ADMIN = { authorization: 'Bearer test-admin-token' };

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | undefined>;
  readonly json: Record<string, unknown>;
  readonly text: string;
}

export async function ask(
  service: ServiceProcess,
  path: string,
  options: { method?: string; headers?: Record<string, string>; body?: string } = {},
): Promise<Answer> {
  const { status, headers, body } = await request(`${service.url}${path}`, options);
  const text = body.toString();
  const isJson = /json/.test(String(headers['content-type']));
  return {
    status,
    headers: headers as Record<string, string>,
    json: isJson && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {},
    text,
  };
}

export const start = (github: GithubSimulator, env: Record<string, string> = {}) =>
  ServiceProcess.start({ env: { GITHUB_API_URL: github.url, ADMIN_TOKEN: 'test-admin-token', ...env } });
