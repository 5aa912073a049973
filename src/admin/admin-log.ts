import { Injectable, Logger } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { Clock } from '../kernel/clock';
import { addressOf } from '../kernel/network';
import { replicaName } from '../workers/worker-channel';
import { AUDITED_PARAMETERS } from './admin.schemas';
import { MAX_TARGET_LENGTH, type AdminAction } from './admin-action';

const MAX_REFUSALS = 100;
const WINDOW_MS = 60_000;

type Outcome = 'done' | 'open' | 'refused' | 'invalid' | 'failed' | 'aborted';

/**
 * One line in the log for each request to a route of admins, whatever becomes of it.
 *
 * The guard begins it, and a request that the guard has not seen is refused: so no route can forget its line. Refused requests have at most 100 lines a
 * minute in each process, so that a guesser does not fill the disk; the next line says how many there were besides.
 */
@Injectable()
export class AdminLog {
  private readonly logger = new Logger('Audit');
  private window = { endsAt: -Infinity, lines: 0, omitted: 0 };

  constructor(private readonly clock: Clock) {}

  /** @param isStream whether the response has no end: its line is written when it begins, with the outcome `open` */
  begin(request: FastifyRequest, reply: FastifyReply, isStream: boolean): AdminAction {
    const action: AdminAction = { by: addressOf(request.ip), requestId: request.id };
    request.adminAction = action;
    const { raw } = reply;
    const end = (): void => {
      raw.off('finish', end).off('close', end);
      this.write(action, request, raw.statusCode, raw.writableFinished ? outcomeOf(raw.statusCode) : 'aborted');
    };
    raw.once('finish', end).once('close', end);
    if (isStream)
      setImmediate(() => {
        if (action.token === undefined || raw.destroyed || raw.writableEnded) return;
        raw.off('finish', end).off('close', end);
        this.write(action, request, 200, 'open');
      });
    return action;
  }

  private write(action: AdminAction, request: FastifyRequest, status: number, outcome: Outcome): void {
    const omitted = outcome === 'refused' ? this.omittedBefore() : 0;
    if (omitted === undefined) return;
    const { by, token, requestId, invalidation } = action;
    const { method, url = '' } = request.routeOptions;
    const line = {
      ...{ msg: 'admin action', action: `${[method].flat().includes(request.method) ? request.method : 'GET'} ${url}` },
      ...(invalidation ?? { target: targetOf(request, token !== undefined) }),
      ...{
        outcome,
        ...(outcome !== 'aborted' && { status }),
        by,
        ...(token !== undefined && { token }),
        requestId,
        replica: replicaName(),
      },
      ...(omitted > 0 && { refusedBesides: omitted }),
    };
    if (outcome === 'refused' || outcome === 'failed') this.logger.warn(line);
    else this.logger.log(line);
  }

  /** How many lines of refused requests were omitted before this one; undefined if this one is to be omitted. */
  private omittedBefore(): number | undefined {
    const now = this.clock.now();
    const { window } = this;
    if (now >= window.endsAt || window.endsAt > now + WINDOW_MS) {
      this.window = { endsAt: now + WINDOW_MS, lines: 1, omitted: 0 };
      return window.omitted;
    }
    if (window.lines < MAX_REFUSALS) window.lines += 1;
    else window.omitted += 1;
    return window.omitted > 0 ? undefined : 0;
  }
}

function outcomeOf(status: number): Outcome {
  if (status === 401 || status === 429) return 'refused';
  if (status >= 500) return 'failed';
  return status >= 400 ? 'invalid' : 'done';
}

/** The path, and of an admin's query the parameters that the routes know: others may have a secret by mistake. */
function targetOf({ url }: FastifyRequest, isAdmin: boolean): string {
  const [path = '', query = ''] = url.split('?', 2);
  const known = [...new URLSearchParams(isAdmin ? query : '')].filter(
    ([name, value]) => value !== '' && AUDITED_PARAMETERS.has(name),
  );
  return [path, ...known.map(([name, value]) => `${name}=${value}`)].join(' ').slice(0, MAX_TARGET_LENGTH);
}
