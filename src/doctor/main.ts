import 'reflect-metadata';
import { runDoctor } from './run-doctor';

/** `npm run doctor`, `-- --json` for a program. */
runDoctor(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
