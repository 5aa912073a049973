import { execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';
import { waitUntil } from '../support/wait-until';

/** A test process in miniature: starts a sleeper, freezes it and tells where to look. */
const SCRIPT = `
  require('@swc/core');
  const { readFileSync } = require('node:fs');
  const { transformSync } = require('@swc/core');
  require.extensions['.ts'] = (module, file) => module._compile(transformSync(readFileSync(file, 'utf8'), {
    jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } }).code, file);
  const { OwnedProcess } = require(process.argv[2] + '/owned-process.ts');
  const { makeTempFolder } = require(process.argv[2] + '/temp-folder.ts');
  const child = OwnedProcess.spawn('sleep', ['600']);
  child.freeze().then(() => process.stdout.write(child.pid + ' ' + makeTempFolder('reaped') + '\\n'));
  setInterval(() => undefined, 1000);
`;

describe('reaper', () => {
  it('kills a frozen child and removes folders when the test process is killed by SIGKILL', async () => {
    const folder = makeTempFolder('reaper');
    const output = join(folder, 'output');
    const script = join(folder, 'script.js');
    const supportFolder = resolve(__dirname, '../support');
    const swc = JSON.stringify(require.resolve('@swc/core'));
    writeFileSync(script, SCRIPT.replaceAll("'@swc/core'", swc));
    writeFileSync(output, '');
    const command = 'exec "$0" "$1" "$2" > "$3" 2>&1';
    const parent = spawn('/bin/sh', ['-c', command, process.execPath, script, supportFolder, output]);
    await waitUntil(() => readFileSync(output, 'utf8').includes('\n'), { what: 'the child to be frozen' });
    const [pid = '', left = ''] = readFileSync(output, 'utf8').trim().split(' ');
    expect(existsSync(left)).toBe(true);
    expect(stateOf(pid)).toMatch(/^T/);
    parent.kill('SIGKILL');
    await waitUntil(() => /^Z?$/.test(stateOf(pid)) && !existsSync(left), {
      what: 'the child and its folder to be gone',
    });
    removeTempFolder(folder);
  });
});

/** The process's state as ps has it, '' if there is no such process. */
function stateOf(pid: string): string {
  try {
    return execFileSync('ps', ['-o', 'state=', '-p', pid], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
}
