import type { ServerResponse } from 'node:http';
import type { Catalogue } from './catalogue';
import type { Fault, FaultPlan } from './faults';
import type { RequestLog } from './request-log';

/** What of a simulator can be changed from outside. */
export interface Controllable {
  readonly requests: RequestLog;
  readonly faults: FaultPlan;
  readonly catalogue: Catalogue;
  latencyMs: number | readonly [minMs: number, maxMs: number];
}

/**
 * What a person at a demo changes from outside: `GET /_simulator/requests`, `PUT /_simulator/faults` (a fault as JSON),
 * `DELETE /_simulator/faults`, `PUT /_simulator/latency` (`{"minMs":0,"maxMs":0}`), `PATCH /_simulator/accounts/{login}`
 * (`{"publicRepos":156}`). Not counted and not delayed.
 */
export function control(
  simulator: Controllable,
  method: string,
  path: string,
  body: Buffer,
  response: ServerResponse,
): void {
  const [what, name] = path.replace('/_simulator/', '').split('/');
  const answer = (status: number, payload: unknown): void => {
    response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(payload)}\n`);
  };
  try {
    const given = (body.length > 0 ? JSON.parse(body.toString('utf8')) : {}) as Record<string, unknown>;
    if (method === 'GET' && what === 'requests') answer(200, simulator.requests.byRoute());
    else if (method === 'PUT' && what === 'faults')
      answer(200, (simulator.faults.always(given as unknown as Fault), { fault: given }));
    else if (method === 'DELETE' && what === 'faults') answer(200, (simulator.faults.clear(), {}));
    else if (method === 'PUT' && what === 'latency')
      answer(200, { latencyMs: (simulator.latencyMs = [Number(given['minMs'] ?? 0), Number(given['maxMs'] ?? 0)]) });
    else if (method === 'PATCH' && what === 'accounts' && name !== undefined)
      answer(200, (simulator.catalogue.setAccount(name, given), simulator.catalogue.account(name)));
    else answer(404, { message: 'The simulator knows requests, faults, latency and accounts.' });
  } catch (error) {
    answer(400, { message: error instanceof Error ? error.message : String(error) });
  }
}
