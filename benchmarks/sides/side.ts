import type { RunningServer } from '../harness/server-process';

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** What sides may need to start. */
export interface Surroundings {
  readonly redisUri: string;
  /** The GitHub simulator, or what stands for it. */
  readonly upstreamUrl: string;
  /** Bare node:http, behind nginx and Varnish. */
  readonly originUrl: string;
  /** Freshness in whole seconds. */
  readonly ttlSeconds: number;
  /** The files of a certificate for 127.0.0.1, for sides that serve https. */
  readonly tls: TlsFiles;
}

/** What wrk sends, beside the URL. */
export interface Requests {
  readonly headers?: readonly string[];
  /** Lua for wrk: another method, or requests that take turns. */
  readonly script?: string;
}

/** One of those that are compared. */
export interface Side {
  readonly name: string;
  /** Why it cannot take part here. */
  readonly missing?: string | undefined;
  /** The path of an account's answer, where that is asked for. */
  readonly accountPath?: string;
  /** What stands in front of `/payload/…`. */
  readonly prefix?: string;
  readonly requests?: Requests;
  /** `nodeArgs`: further arguments of Node, where it is what is started. */
  start(around: Surroundings, nodeArgs?: readonly string[]): Promise<RunningServer>;
}

/** Those whose name contains the text, all without one; what is skipped comes with the reason. */
export function takingPart(
  sides: readonly Side[],
  only: string | undefined,
): { sides: readonly Side[]; notes: string[] } {
  const chosen = sides.filter(({ name }) => only === undefined || only.split(';').some((part) => name.includes(part)));
  return {
    sides: chosen.filter(({ missing }) => missing === undefined),
    notes: chosen.flatMap(({ name, missing }) => (missing === undefined ? [] : [`${name} was skipped: ${missing}`])),
  };
}

/** The same side, sent other requests. */
export function asking(side: Side, how: string, requests: Requests): Side {
  return { ...side, name: `${side.name}: ${how}`, requests };
}
