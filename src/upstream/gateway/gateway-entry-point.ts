import type { FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { HitPointer } from '../../cache';
import { responseForm } from '../../cache/law';
import {
  Fingerprints,
  type FastPath,
  type EntryPoint,
  type FieldKind,
  type HeadContext,
  type RequestFingerprint,
} from '../../cache/fast-path';
import type { UpstreamContext } from '../upstream-context';
import type { GatewayResponses } from './gateway-responses';
import { ANONYMOUS } from './partition';

/** A gateway on the fast path: what of its requests selects a response. */
export class GatewayEntryPoint implements EntryPoint<string> {
  readonly prepare: EntryPoint<string>['prepare'];
  readonly form: EntryPoint<string>['form'];
  private readonly fastPath: FastPath;
  private readonly fingerprints = new Fingerprints(
    (name) => this.kindOf(name),
    (field, credential) => this.callerOf(field, credential),
  );

  /** @param prefixes what the URLs of its requests begin with */
  constructor(
    private readonly upstream: UpstreamContext,
    responses: GatewayResponses,
    readonly prefixes: readonly string[],
    readonly context: HeadContext,
  ) {
    this.fastPath = upstream.parts.fastPath;
    this.prepare = (entry, key, request, path) => responses.prepare(entry, key, request, path);
    this.form = ({ method }, asked, prepared) => responseForm(method, responses.conditionsOf(asked), prepared);
    this.fastPath.add(this);
  }

  upstreamOf(): string {
    return this.upstream.api.name;
  }

  isUsable(): boolean {
    return true;
  }

  fingerprint(request: IncomingMessage): RequestFingerprint | undefined {
    const { method = '', url = '' } = request;
    return this.fingerprints.of(request, `${method} ${url}`);
  }

  /** @param path what was asked for, behind the prefix */
  remember(request: FastifyRequest, pointer: HitPointer, path: string): void {
    this.fastPath.remember(this, request, pointer, path);
  }

  private callerOf(field: string | undefined, credential: string | undefined): string {
    const { partitions } = this.upstream.callers;
    const name = field === undefined ? undefined : partitions?.credentialName(field);
    if (name === undefined || credential === undefined || !partitions) return ANONYMOUS;
    return partitions.idOfField(name, credential.trim());
  }

  private kindOf(name: string): FieldKind {
    const { headerRules, cors, callers } = this.upstream;
    if (name === 'origin' && cors.isByOrigin) return 'slow-path';
    if (name === 'via') return 'selecting'; // how many hops there were goes upstream
    if (callers.partitions?.credentialName(name) !== undefined) return 'credential';
    return headerRules.forwards(name, true) ? 'selecting' : 'none';
  }
}
