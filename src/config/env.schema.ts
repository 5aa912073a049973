import { z } from 'zod';
import { inspectEnvFile, misspelled } from './env.file';
import { declaredFeatures, type FeatureSettings, type SettingValues } from './feature-settings';
import { environmentExamples, environmentNeeds, environmentShape } from './environment-shape';

/**
 * The only reader of process.env: one schema of the service's own settings and the features' settings. `.env.sample`, the messages of a
 * failed start and the typed slices come from it. An empty or blank value counts as unset, as env files write it.
 */

/** Every variable of the service and of the features that are mounted. */
export function settingsShape(): Readonly<Record<string, z.ZodType>> {
  const features = declaredFeatures();
  if (known.features !== features)
    known = { features, shape: Object.assign({}, environmentShape, ...features.map(({ shape }) => shape)) as Shape };
  return known.shape;
}

type Shape = typeof environmentShape;

/** The features that were declared last, and the shape of their settings. */
let known: { readonly features: readonly FeatureSettings[]; readonly shape: Shape } = {
  features: [],
  shape: environmentShape,
};

/** Whether a feature is not switched off; a wrong value of its switch is reported with the other settings. */
export function isSwitchedOn(
  { shape, switchedBy }: Pick<FeatureSettings, 'shape' | 'switchedBy'>,
  source: Readonly<Record<string, unknown>> = process.env,
): boolean {
  if (switchedBy === undefined) return true;
  const given = isGiven(source[switchedBy]) ? source[switchedBy] : undefined;
  return shape[switchedBy]?.safeParse(given).data !== false;
}

function schema(source: Readonly<Record<string, unknown>>) {
  const [on, off] = [true, false].map((is) => declaredFeatures().filter((one) => isSwitchedOn(one, source) === is));
  const unchecked = (off ?? []).flatMap(({ shape }) =>
    Object.entries(shape).map(([name, one]) => [name, one.catch(undefined)] as const),
  );
  const shape = { ...settingsShape(), ...Object.fromEntries(unchecked) };
  return z.object(shape).superRefine((env, context) => {
    for (const [given, other, when] of [...environmentNeeds, ...(on ?? []).flatMap(({ needs = [] }) => needs)]) {
      if (env[given] === undefined || env[given] === false || env[other] !== undefined) continue;
      if (when && env[given] !== when.value) continue;
      const message = `is missing: ${given}${when ? `=${when.shown}` : ''} needs ${other} as well`;
      context.addIssue({ code: 'custom', path: [other], message });
    }
    if (env['ADMIN_PORT'] !== undefined && env['ADMIN_PORT'] !== 0 && env['ADMIN_PORT'] === env['PORT'])
      context.addIssue({ code: 'custom', path: ['ADMIN_PORT'], message: 'must be another port than PORT' });
    const known = upstreamNames();
    const unknown = ((env['TRACE_CONTEXT_UPSTREAM'] as string[] | undefined) ?? []).filter(
      (one) => !known.includes(one),
    );
    if (unknown.length > 0) {
      const message = `names ${unknown.join(', ')}, and the upstreams are ${known.join(', ')}`;
      context.addIssue({ code: 'custom', path: ['TRACE_CONTEXT_UPSTREAM'], message });
    }
    const { OTEL_METRICS_EXPORTER: metrics, OTEL_EXPORTER_OTLP_ENDPOINT: all } = env as Partial<
      Record<string, unknown>
    >;
    if (metrics === 'otlp' && (env['OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'] ?? all) === undefined) {
      const message = 'is missing: OTEL_METRICS_EXPORTER=otlp needs OTEL_EXPORTER_OTLP_ENDPOINT as well';
      context.addIssue({ code: 'custom', path: ['OTEL_EXPORTER_OTLP_ENDPOINT'], message });
    }
    const { CACHE_STORE: store, REDIS_ENDPOINT_URI: uri } = env as Partial<Record<string, unknown>>;
    if (typeof store === 'string' && store !== 'memory' && uri === undefined) {
      const message = `is missing: CACHE_STORE=${store} needs REDIS_ENDPOINT_URI as well`;
      context.addIssue({ code: 'custom', path: ['REDIS_ENDPOINT_URI'], message });
    }
  });
}

/** The service's own settings, and those of features. */
export type Environment = z.infer<z.ZodObject<typeof environmentShape>> & SettingValues;

/** A start with a wrong setting; the message has one line for each, and no value of a secret. */
export class EnvironmentError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'EnvironmentError';
  }
}

/** The last reading: each slice of the configuration reads all, and the values are the same. */
let lastRead:
  { readonly features: readonly FeatureSettings[]; readonly given: string; readonly env: Environment } | undefined;

/**
 * @param source process.env, or a test's values
 * @throws EnvironmentError naming each wrong variable, its fault and an example
 */
export function readEnvironment(source: Readonly<Record<string, unknown>> = process.env): Environment {
  const given = Object.fromEntries(
    Object.keys(settingsShape()).flatMap((name) => (isGiven(source[name]) ? [[name, source[name]]] : [])),
  );
  const features = declaredFeatures();
  const text = JSON.stringify(given);
  if (lastRead?.features === features && lastRead.given === text) return lastRead.env;
  // `jitless`: to compile the schema takes longer than to read it once.
  const result = schema(source).safeParse(given, { jitless: true });
  if (result.success) {
    const env = result.data as Environment;
    lastRead = { features, given: text, env };
    return env;
  }
  const lines = result.error.issues.map(({ path, message }) => {
    const name = String(path[0]);
    return `  ${name} ${message}. Example: ${name}=${exampleOf(name)}`;
  });
  throw new EnvironmentError(`The configuration is wrong:\n${[...new Set(lines)].join('\n')}`);
}

/** The default of a variable as an env file writes it, empty for none. */
export function defaultOf(name: string): string {
  const value: unknown = settingsShape()[name]?.safeParse(undefined).data;
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

/** The settings that differ from their defaults, as given: with secrets. For `shownSettings` alone. */
export function givenSettings(): Readonly<Record<string, string>> {
  const given = Object.keys(settingsShape()).map((name) => [name, process.env[name]?.trim() ?? ''] as const);
  return Object.fromEntries(given.filter(([name, value]) => value !== '' && value !== defaultOf(name)));
}

function upstreamNames(): readonly string[] {
  return declaredFeatures().flatMap(({ feature }) => /^upstream (.+)$/.exec(feature)?.[1] ?? []);
}

function exampleOf(name: string): string {
  if (name === 'TRACE_CONTEXT_UPSTREAM') return upstreamNames().join(',');
  const inSchema = settingsShape()[name]?.meta()?.['example'];
  return environmentExamples[name as keyof Shape] ?? (typeof inSchema === 'string' ? inSchema : defaultOf(name));
}

function isGiven(value: unknown): boolean {
  return value !== undefined && (typeof value !== 'string' || value.trim() !== '');
}

const ENV_FILE = '.env';

/**
 * The env files to read: none in tests, which set everything themselves.
 *
 * @throws EnvironmentError for an unreadable one
 */
export function envFiles(): string[] {
  if (process.env['NODE_ENV'] === 'test') return [];
  const problem = inspectEnvFile(ENV_FILE)?.problem;
  if (problem !== undefined) throw new EnvironmentError(`The configuration is wrong:\n${problem}`);
  return [ENV_FILE];
}

/** Variables that are most likely misspelled settings, each with a hint; without their values. */
export function misspelledSettings(): readonly string[] {
  const inFile = process.env['NODE_ENV'] === 'test' ? [] : (inspectEnvFile(ENV_FILE)?.names ?? []);
  return misspelled({ known: Object.keys(settingsShape()), given: Object.keys(process.env), inFile }, ENV_FILE);
}

/** For ConfigModule: fails the start on invalid settings, and leaves the variables unchanged. */
export function requireEnvironment(given: Record<string, unknown>): Record<string, unknown> {
  readEnvironment(given);
  return given;
}
