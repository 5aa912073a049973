import type { FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { HitPointer } from '../../cache';
import { responseForm } from '../../cache/law';
import {
  Fingerprints,
  type FastPath,
  type FastWay,
  type FieldKind,
  type HeadContext,
  type RequestFingerprint,
} from '../../cache/fast-path';
import type { GatewayResponses, GatewayResponsesOptions } from './gateway-responses';
import type { HeaderRules } from './header-rules';
import { ANONYMOUS } from './partition';

export interface GatewayFastWayOptions extends Pick<GatewayResponsesOptions, 'api' | 'partitions'> {
  /** What the URLs of its requests begin with. */
  readonly prefixes: readonly string[];
  readonly headerRules: HeaderRules;
  readonly head: HeadContext;
  /** Whether the edge's fields depend on the `Origin` of a request. */
  readonly isByOrigin: boolean;
}

/** A gateway on the fast path: what of its requests selects a response. */
export class GatewayFastWay implements FastWay<string> {
  readonly context: HeadContext;
  readonly prepare: FastWay<string>['prepare'];
  readonly form: FastWay<string>['form'];
  private readonly fingerprints = new Fingerprints(
    (name) => this.kindOf(name),
    (field, credential) => this.callerOf(field, credential),
  );

  constructor(
    private readonly options: GatewayFastWayOptions,
    responses: GatewayResponses,
    private readonly fastPath: FastPath,
  ) {
    this.context = options.head;
    this.prepare = (entry, key, request, path) => responses.prepare(entry, key, request, path);
    this.form = ({ method }, asked, prepared) => responseForm(method, responses.conditionsOf(asked), prepared);
    fastPath.add(this);
  }

  upstreamOf(): string {
    return this.options.api.name;
  }

  isUsable(): boolean {
    return true;
  }

  get prefixes(): readonly string[] {
    return this.options.prefixes;
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
    const { partitions } = this.options;
    const name = field === undefined ? undefined : partitions?.credentialName(field);
    if (name === undefined || credential === undefined || !partitions) return ANONYMOUS;
    return partitions.idOfField(name, credential.trim());
  }

  private kindOf(name: string): FieldKind {
    const { headerRules, isByOrigin, partitions } = this.options;
    if (name === 'origin' && isByOrigin) return 'slow-path';
    if (name === 'via') return 'selecting'; // how many hops there were goes upstream
    if (partitions?.credentialName(name) !== undefined) return 'credential';
    return headerRules.forwards(name, true) ? 'selecting' : 'none';
  }
}
