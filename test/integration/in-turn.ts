import type { RouteApp } from '../support/route-app';

/** Asks in turn, several times, so that hits are answered wherever they may be. */
export async function inTurn(
  app: RouteApp,
  path: string,
  askers: readonly Record<string, string>[],
): Promise<unknown[][]> {
  const rounds: unknown[][] = [];
  for (let times = 0; times < 4; times++) {
    const answers: unknown[] = [];
    for (const headers of askers) answers.push(JSON.parse((await app.get(path, headers)).text));
    rounds.push(answers);
  }
  return rounds;
}

export const four = (answers: unknown[]): unknown[][] => [answers, answers, answers, answers];
