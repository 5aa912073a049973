import { spawn, type ChildProcess } from 'node:child_process';

/**
 * Kills what a test run leaves behind. A shell outside our process group is told of every process and temporary folder;
 * when its standard input ends, because we let go of it or because we died in any way, SIGKILL included, it kills what is
 * still on its list (a frozen process too) and removes the folders. `process.on('exit')` would not do: inside Jest
 * `process` is a copy whose exit event never fires, and a killed worker runs no handler.
 */
const SCRIPT = `
pids=
while read -r word value; do
  case $word in
    +) pids="$pids $value" ;;
    -) rest=; for pid in $pids; do [ "$pid" = "$value" ] || rest="$rest $pid"; done; pids=$rest ;;
    folder) set -- "$@" "$value" ;;
  esac
done
for pid in $pids; do kill -9 "$pid"; done
[ $# -eq 0 ] || rm -rf -- "$@"
`;

let shell: ChildProcess | undefined;
const processes = new Set<number>();
const folders = new Set<string>();

/** Kills the process when we die. */
export function watchProcess(pid: number): void {
  processes.add(pid);
  tell(`+ ${pid}`);
}

/** To be called when the process has ended: its pid may soon be another's. */
export function forgetProcess(pid: number): void {
  if (processes.delete(pid)) tell(`- ${pid}`);
  letGoIfIdle();
}

/** Removes the folder when we die. */
export function watchFolder(path: string): void {
  folders.add(path);
  tell(`folder ${path}`);
}

/** To be called when the folder has been removed. */
export function forgetFolder(path: string): void {
  folders.delete(path);
  letGoIfIdle();
}

function letGoIfIdle(): void {
  if (processes.size + folders.size > 0) return;
  shell?.stdin?.end();
  shell = undefined;
}

function tell(line: string): void {
  shell ??= startShell();
  shell.stdin?.write(`${line}\n`);
}

function startShell(): ChildProcess {
  const started = spawn('/bin/sh', ['-c', SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  started.unref();
  const input = started.stdin as unknown as { unref(): void };
  input.unref();
  return started;
}
