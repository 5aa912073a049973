import { execFileSync } from 'node:child_process';
import { cpus, release, totalmem, type } from 'node:os';
import { findProgram, type Program } from '../sides/programs';
import { GENERATOR_CORE, SERVER_CORE } from './options';

/** The machine and the versions that a figure belongs to. */
export function describeMachine(): Readonly<Record<string, string>> {
  const all = cpus();
  return {
    cpu: all[0]?.model ?? 'unknown',
    cores: `${all.length} (load generator, simulator and Redis on ${GENERATOR_CORE}, servers on ${SERVER_CORE})`,
    memory: `${Math.round(totalmem() / 2 ** 30)} GiB`,
    system: `${type()} ${release()}`,
    node: process.version,
    redis: firstMatch('redis-server', ['--version'], /v=([\d.]+)/),
    nginx: versionOf('nginx', ['-v'], /nginx\/([\d.]+)/),
    varnish: versionOf('varnishd', ['-V'], /varnish-([\d.]+)/),
    wrk: versionOf('wrk', ['-v'], /wrk (\S+)/),
  };
}

function versionOf(name: Program, args: string[], pattern: RegExp): string {
  const path = findProgram(name);
  return path === undefined ? 'absent' : firstMatch(path, args, pattern);
}

function firstMatch(command: string, args: string[], pattern: RegExp): string {
  return pattern.exec(textOf(command, args))?.[1] ?? 'unknown';
}

/** What it prints, wherever to and with whatever exit code: wrk and varnishd differ in both. */
function textOf(command: string, args: string[]): string {
  try {
    return execFileSync('/bin/sh', ['-c', '"$0" "$@" 2>&1; true', command, ...args], { encoding: 'utf8' });
  } catch {
    return ''; // the program is not there
  }
}
