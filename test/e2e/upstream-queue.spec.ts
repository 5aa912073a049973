import { Gate } from '../support/barrier';
import { request, type HttpAnswer } from '../support/raw-http';
import { ScriptedOrigin } from '../support/scripted-origin';
import { ServiceProcess } from '../support/service-process';
import { waitUntil } from '../support/wait-until';
import { ADMIN, ask } from './ask';

const TOKEN = { authorization: 'Bearer ghp_owner_secret' };

const through = (service: ServiceProcess, path: string, headers: Record<string, string> = {}) =>
  request(`${service.url}/github${path}`, { headers });

const budgetOf = async (service: ServiceProcess) =>
  (await ask(service, '/github-budget', { headers: ADMIN })).json as unknown as {
    credentials: { credential: string; resources: Record<string, { remaining: number }>; pausedFor: number }[];
    requests: Record<string, number>;
  };

describe('the queue in front of the upstream', () => {
  let origin: ScriptedOrigin;
  let service: ServiceProcess;
  afterEach(async () => {
    await service.stop();
    await origin.stop();
  });

  it('counts a request as under way to the last byte, even one that the limit does not count', async () => {
    const [first, last] = [new Gate(), new Gate()];
    const asked: string[] = [];
    origin = await ScriptedOrigin.start((response, { url }) => {
      asked.push(url);
      response.write('{');
      void (asked.length === 1 ? first : last).wait().then(() => response.end('}'));
    });
    service = await ServiceProcess.start({
      env: { GITHUB_API_URL: origin.url, GITHUB_MAX_CONCURRENCY: '1', ADMIN_TOKEN: 'test-admin-token' },
    });
    const answers = [through(service, '/a1')];
    await waitUntil(() => asked.length === 1, { what: 'the first is asked for' });
    answers.push(through(service, '/rate_limit'));
    const isWaiting = async (): Promise<boolean> => (await budgetOf(service)).requests['waiting'] === 1;
    await waitUntil(isWaiting, { what: 'the second waits' });
    expect(asked).toEqual(['/a1']);
    first.open();
    await waitUntil(() => asked.length === 2, { what: 'the second is asked for' });
    last.open();
    expect((await Promise.all(answers)).map(({ status, body }) => [status, body.toString()])).toEqual([
      [200, '{}'],
      [200, '{}'],
    ]);
    const isIdle = async (): Promise<boolean> => (await budgetOf(service)).requests['underWay'] === 0;
    await waitUntil(isIdle, { what: 'all places are free again' });
  });

  it('asks for no more at once than GITHUB_MAX_CONCURRENCY, and lets callers take turns', async () => {
    const doors = new Map<string, Gate>();
    const asked: string[] = [];
    origin = await ScriptedOrigin.start((response, { url }) => {
      asked.push(url);
      const door = new Gate();
      doors.set(url, door);
      void door.wait().then(() => response.end('{}'));
    });
    service = await ServiceProcess.start({
      env: { GITHUB_API_URL: origin.url, GITHUB_MAX_CONCURRENCY: '2', ADMIN_TOKEN: 'test-admin-token' },
    });
    const waiting = async (count: number): Promise<void> => {
      await waitUntil(async () => (await budgetOf(service)).requests['waiting'] === count, { what: `${count} wait` });
    };
    const answers: Promise<HttpAnswer>[] = [];
    for (const [at, name] of ['a1', 'a2', 'a3', 'a4'].entries()) {
      answers.push(through(service, `/${name}`));
      if (at >= 2) await waiting(at - 1);
      else await waitUntil(() => asked.length === at + 1, { what: `${name} is asked for` });
    }
    answers.push(through(service, '/b1', TOKEN));
    await waiting(3);
    expect(asked).toEqual(['/a1', '/a2']);
    for (let done = 0; done < 5; done++) {
      await waitUntil(() => asked.length > done, { what: `request ${done + 1} comes` });
      doors.get(asked[done] ?? '')?.open();
    }
    expect((await Promise.all(answers)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(asked.indexOf('/b1')).toBeLessThan(asked.indexOf('/a4'));
  });
});
