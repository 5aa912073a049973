import { buildService } from './build-service';
import installServers from './install-servers';

/** Jest globalSetup for tests that run the built service as a process of its own, next to real servers. */
export default async function setUpProcesses(): Promise<void> {
  await installServers();
  await buildService();
}
