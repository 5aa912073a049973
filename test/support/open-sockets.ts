import { readFileSync } from 'node:fs';

const ESTABLISHED = '01';

/** How many clients are connected to a port of this machine (IPv4), as the kernel has it: one that the server has closed is not. */
export function connectionsTo(port: number): number {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  const columns = rows.map((row) => row.trim().split(/\s+/));
  return columns.filter(([, address, , state]) => address?.endsWith(local) === true && state === ESTABLISHED).length;
}

/** What a process takes of the memory, in bytes (its resident set). */
export function residentBytes(pid: number | undefined): number {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1_024;
}
