import { spawn } from 'node:child_process';

// What `npm test` checks before it runs the tests: all at once, each on a core of its own.
const checks = ['lint', 'format:check', 'typecheck', 'architecture'];

function run(check) {
  return new Promise((resolve) => {
    const child = spawn('npm', ['run', '--silent', check], { stdio: ['ignore', 'pipe', 'pipe'] });
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => output.push(chunk));
    child.on('close', (code) => {
      console.log(`${check}: ${code === 0 ? 'ok' : 'failed'}`);
      process.stdout.write(Buffer.concat(output));
      resolve(code === 0);
    });
  });
}

const results = await Promise.all(checks.map(run));
process.exitCode = results.every(Boolean) ? 0 : 1;
