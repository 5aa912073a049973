export * from './upstream/kit';
export { startService } from './start-service';
