#!/usr/bin/env node
import 'reflect-metadata';
import { serviceVersion } from '../kernel/project-root';

/*
 * The command `larder`: starts the service, or runs one of its tools. Each command loads only its own modules.
 */

const HELP = `larder: a cache in front of third-party REST APIs

  larder                        starts the service; settings come from the environment and .env
  larder doctor [--json]        checks the settings, and what they name: Redis, certificates, APIs
  larder add-upstream NAME      writes src/NAME: an API behind the cache, with its spec
         [--base-url URL]       where the API is
         [--projection /path/:id]  also a route whose answer is derived from what the API has there
  larder --help, --version
`;

async function run([command, ...args]: readonly string[]): Promise<void> {
  const wantsHelp = args.some((one) => one === '--help' || one === '-h');
  switch (wantsHelp ? 'help' : command) {
    case undefined:
      await import('../main.js');
      return;
    case 'doctor':
      await (await import('../doctor/run-doctor.js')).runDoctor(args);
      return;
    case 'add-upstream':
      process.stdout.write((await import('./add-upstream.js')).addUpstream(args, process.cwd()));
      return;
    case '--help':
    case '-h':
    case 'help':
      process.stdout.write(HELP);
      return;
    case '--version':
    case '-v':
      process.stdout.write(`${serviceVersion()}\n`);
      return;
    default:
      throw new Error(
        `larder has no command "${command}". Commands: doctor, add-upstream, --help, --version; none starts the service.`,
      );
  }
}

run(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
