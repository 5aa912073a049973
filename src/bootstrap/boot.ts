import { Logger, type LoggerService, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { createAdapter, listenersOf, setUp, settingsOf } from './app.setup';
import { EnvironmentError } from '../config/env.schema';
import { shownSettings } from '../config/shown-settings';
import { serviceConfig } from '../config/slices';
import { currentAdvice } from '../current-advice';
import { listenOn } from '../server/http-server';
import { httpsRedirect } from '../server/https-redirect';
import { reloadTls } from '../server/tls';
import { logFormatOf } from '../server/log-format';
import { BootLogger, PinoLogger } from '../logging/pino.logger';
import { listenFailure } from './listen-failure';
import type { Telemetry } from '../telemetry/otlp-sdk';
import type { MetricExport } from '../telemetry/start-metrics';
import { acceptInTurn } from '../workers/accept-in-turn';
import { startsWorkers } from '../workers/start-workers';
import { isWorker } from '../workers/worker-channel';

type Server = FastifyInstance['server'];
type OperatorPort = NonNullable<ReturnType<typeof settingsOf>['operators']>;

/** Additions of the program that starts the service. */
export interface BootHooks {
  /** The application is made and not initialised yet: routes of one's own go here. */
  readonly beforeListen?: (app: NestFastifyApplication) => void;
  readonly onListening?: (url: string) => void;
}

/**
 * Starts the service: in this process, or in workers of it (`WORKERS`). Invalid settings end the process with a line that names them.
 *
 * @param load imports the root module; an error of it is reported like an invalid setting
 */
export async function boot(load: () => Promise<Type>, hooks: BootHooks = {}): Promise<void> {
  try {
    await start(await load(), hooks);
  } catch (error) {
    const isSetting = error instanceof EnvironmentError;
    process.stderr.write(
      `${isSetting ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
    );
    process.exit(1);
  }
}

async function start(module: Type, { beforeListen, onListening }: BootHooks): Promise<void> {
  const { tls, logFormat, isProduction, traces, metricExport } = serviceConfig();
  const format = logFormatOf(logFormat, isProduction);
  if (startsWorkers((level) => new PinoLogger(level, format), advise)) return;
  const tracing = traces && (await import('../telemetry/start-tracing.js')).startTracing(traces.toldUpstreams);
  const app = await NestFactory.create<NestFastifyApplication>(module, createAdapter(tls), {
    logger: new BootLogger(),
    abortOnError: false,
  });
  const { port, host, logLevel, operators, redirectPort, publicUrl } = settingsOf(app);
  const logger = new PinoLogger(logLevel, format);
  app.useLogger(logger);
  const [server, operatorServer] = listenersOf(app);
  if (isWorker()) listenersOf(app).forEach(acceptInTurn);
  else advise(logger);
  if (tracing) closeLast(app, tracing);
  if (metricExport) closeLast(app, await exportMetrics(app, metricExport));
  const redirect = redirectPort === undefined ? undefined : redirectServer(app, publicUrl);
  beforeListen?.(app);
  const withTls = [
    { server, files: tls },
    { server: operatorServer, files: operators?.tls },
  ];
  const tlsListeners = withTls.flatMap(({ server, files }) => (files ? [{ server, files }] : []));
  if (tlsListeners.length > 0) reloadTls(tlsListeners, logger);
  await setUp(app)
    .listen(port, host)
    .catch((error: unknown) => {
      const failure = listenFailure(error, host, port);
      throw failure === undefined ? error : new EnvironmentError(failure);
    });
  if (redirect && redirectPort !== undefined) await listenForRedirects(redirect, host, redirectPort);
  const operatorUrl = operators && operatorServer && (await listenForOperators(operatorServer, operators));
  const url = await app.getUrl();
  const page = operatorUrl === undefined ? 'the page is at /' : `the page, the admin API and metrics on ${operatorUrl}`;
  if (!isWorker()) new Logger('Larder').log(`Listening on ${url}; ${page}`);
  onListening?.(url);
}

async function listenForOperators(server: FastifyInstance['server'], { port, host }: OperatorPort): Promise<string> {
  return listenOn(server, port, host).catch((error: unknown) => {
    const failure = listenFailure(error, host, port, 'ADMIN_');
    throw failure === undefined ? error : new EnvironmentError(failure);
  });
}

/** The server of `HTTP_REDIRECT_PORT`, which ends with the application. */
function redirectServer(app: NestFastifyApplication, publicUrl: string | undefined): Server {
  const server = httpsRedirect({ publicUrl, port: () => (app.getHttpServer().address() as { port: number }).port });
  const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
  fastify.addHook('onClose', (_instance, done) => {
    server.close(() => done());
    server.closeAllConnections();
  });
  return server;
}

async function listenForRedirects(server: Server, host: string, port: number): Promise<void> {
  await listenOn(server, port, host).catch((error: unknown) => {
    const failure = listenFailure(error, host, port, 'HTTP_REDIRECT_');
    throw failure === undefined ? error : new EnvironmentError(failure);
  });
}

async function exportMetrics(app: NestFastifyApplication, settings: MetricExport): Promise<Telemetry> {
  const { MetricRegistry } = await import('../metrics/metric-registry.js');
  const { startMetrics } = await import('../telemetry/start-metrics.js');
  return startMetrics(app.get(MetricRegistry), settings);
}

/** Once the last response is sent. */
function closeLast(app: NestFastifyApplication, telemetry: Telemetry): void {
  const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
  fastify.addHook('onClose', () => telemetry.close());
}

/** Once for the service, before it listens. */
function advise(logger: LoggerService): void {
  const { store, warnings } = currentAdvice();
  logger.log({ msg: 'Settings other than the defaults', settings: shownSettings() }, 'Settings');
  logger.log(store, 'Store');
  for (const warning of warnings) logger.warn(warning, 'Settings');
}
