import { shallowRef } from 'vue';
import { Failure } from './failure';
import { requestJson, type Ask } from './http';

/*
 * The admin API. The token lives in this module's memory alone: not in a URL, a storage or a log, and it is gone with the page.
 */

const token = shallowRef<string>();
/** The open question of the token dialog; undefined while it is closed. */
export const tokenQuestion = shallowRef<TokenQuestion>();

export interface TokenQuestion {
  /** What the token is wanted for. */
  readonly purpose: string;
  /** Why the token given before was not accepted. */
  readonly refusal: string | undefined;
  readonly answer: (given: string | undefined) => void;
}

export function hasAdminToken(): boolean {
  return token.value !== undefined;
}

export function adminToken(): string | undefined {
  return token.value;
}

export function forgetAdminToken(): void {
  token.value = undefined;
}

/** Asks for the token unless it is known; false if the person cancels. */
export async function unlock(purpose: string, refusal?: string): Promise<boolean> {
  if (token.value !== undefined) return true;
  const given = await new Promise<string | undefined>((answer) => {
    tokenQuestion.value?.answer(undefined);
    tokenQuestion.value = { purpose, refusal, answer };
  });
  tokenQuestion.value = undefined;
  token.value = given;
  return given !== undefined;
}

/** A request of the admin API; a refused token is forgotten and asked for again. Undefined if the person gave none. */
export async function adminRequest<T>(path: string, purpose: string, ask: Ask = {}): Promise<T | undefined> {
  let refusal: string | undefined;
  for (;;) {
    if (!(await unlock(purpose, refusal))) return undefined;
    try {
      return await requestJson<T>(path, { ...ask, token: token.value });
    } catch (error) {
      if (!(error instanceof Failure) || error.status !== 401) throw error;
      forgetAdminToken();
      refusal = 'The service did not accept this token.';
    }
  }
}
