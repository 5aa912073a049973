import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = 100; // USER_HZ, 100 on every Linux

/** What a process has taken of the cores so far, in seconds. */
export interface ProcessTime {
  readonly pid: number;
  readonly user: number;
  readonly system: number;
  /** How long its threads were ready to run while others had the core; 0 where the kernel does not tell. */
  readonly waiting: number;
}

/** The process and its living descendants, it first; a process that is gone is left out. */
export function processTimes(pid: number): ProcessTime[] {
  try {
    return [timeOf(pid), ...childrenOf(pid).flatMap(processTimes)];
  } catch {
    return []; // ended between two looks
  }
}

/** How long the cores together had nothing to do so far, in seconds. */
export function idleSeconds(): number {
  const [, , , , idle, forDisk] = readFileSync('/proc/stat', 'utf8').split(/\s+/).map(Number);
  return ((idle ?? NaN) + (forDisk ?? NaN)) / TICKS_PER_SECOND;
}

function timeOf(pid: number): ProcessTime {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [user, system] = [Number(fields[11]) / TICKS_PER_SECOND, Number(fields[12]) / TICKS_PER_SECOND];
  return { pid, user, system, waiting: waitingOf(pid) };
}

function waitingOf(pid: number): number {
  const waits = readdirSync(`/proc/${pid}/task`).map((thread) => waitOf(`/proc/${pid}/task/${thread}/schedstat`));
  return waits.reduce((sum, one) => sum + one, 0);
}

function waitOf(file: string): number {
  try {
    return Number(readFileSync(file, 'utf8').split(' ')[1]) / 1e9;
  } catch {
    return 0; // a kernel without these figures, or the thread ended
  }
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}
