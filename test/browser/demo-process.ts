import { join } from 'node:path';
import { repositoryRoot } from '../support/build-service';
import { freePort } from '../support/free-port';
import { OwnedProcess } from '../support/owned-process';
import { makeTempFolder, removeTempFolder } from '../support/temp-folder';
import { waitUntil } from '../support/wait-until';

/** `npm run demo` as a process: the service against its simulator, in a folder without an `.env`. */
export class DemoProcess {
  private constructor(
    readonly url: string,
    private readonly child: OwnedProcess,
    private readonly folder: string,
  ) {}

  static async start(token: string, args: readonly string[] = []): Promise<DemoProcess> {
    const port = await freePort();
    const folder = makeTempFolder('demo');
    const { PATH = '', HOME = '' } = process.env;
    const child = OwnedProcess.spawn(process.execPath, [join(repositoryRoot, 'dist/simulator/demo.js'), ...args], {
      cwd: folder,
      env: { PATH, HOME, PORT: String(port), HOST: '127.0.0.1', ADMIN_TOKEN: token },
    });
    await waitUntil(() => !child.isRunning || child.stdout().includes('Try:'), { what: 'the demo' });
    if (!child.isRunning) throw new Error(`The demo ended at its start; it printed:\n${child.output()}`);
    return new DemoProcess(`${args.includes('--https') ? 'https' : 'http'}://127.0.0.1:${port}`, child, folder);
  }

  async stop(): Promise<void> {
    this.child.signal('SIGTERM');
    await this.child.exited;
    removeTempFolder(this.folder);
  }
}
