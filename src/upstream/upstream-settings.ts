import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { isSwitchedOn, readEnvironment } from '../config/env.schema';
import { declareSettings, type FeatureSettings, type SettingValues } from '../config/feature-settings';
import { file, flag, httpUrl, number, oneOf, text, whole } from '../config/setting-kinds';
import { OPERATOR_PATHS } from '../server/operator-port';
import { parseGatewayRules, type GatewayRule } from './gateway/gateway-rules';
import type { SettingsShape, UpstreamDefinition, UpstreamSettings } from './upstream-definition';

/*
 * The settings that every upstream has, under its own prefix: `ACME_API_URL`, `ACME_TOKEN`. Docs: docs/reference/upstream-definition.md.
 */

/** First segments of paths that are the service's own. */
const OWN_PATHS: ReadonlySet<string> = new Set([...OPERATOR_PATHS, 'health', 'webhooks']);
/** Fields of one hop or of the message's framing (RFC 9110 §7.6.1, RFC 9112 §6), and fields that the service itself sets. */
const NEVER_FORWARDED: ReadonlySet<string> = new Set([
  ...['connection', 'keep-alive', 'proxy-authenticate', 'proxy-authorization', 'proxy-connection', 'te', 'trailer'],
  ...['transfer-encoding', 'upgrade', 'content-length', 'expect', 'host', 'authorization'],
]);
const SECRET_EXAMPLE = 'the output of: openssl rand -hex 24';

type Switch = Pick<FeatureSettings, 'shape' | 'switchedBy'>;

interface Declared {
  readonly definition: UpstreamDefinition;
  /** First segments of the paths of its controllers. */
  readonly routes: readonly string[];
}

const declared = new Map<string, Declared>();
const switches = new WeakMap<UpstreamDefinition, Switch>();

/** The definitions that are mounted and switched on. */
export function mountedDefinitions(): readonly UpstreamDefinition[] {
  return [...declared.values()].map(({ definition }) => definition).filter(isEnabled);
}

/** Whether `NAME_ENABLED` says so. */
export function isEnabled(definition: UpstreamDefinition): boolean {
  return isSwitchedOn(switchOf(definition));
}

/** `API_URL` of `acme` is `ACME_API_URL`. */
export function settingName({ name }: Pick<UpstreamDefinition, 'name'>, setting: string): string {
  return `${name.toUpperCase().replaceAll('-', '_')}_${setting}`;
}

/**
 * Adds the settings of a definition to the settings read at the start.
 *
 * @param routes first segments of the paths of its controllers, so that no gateway is mounted over them
 */
export function declareUpstreamSettings(definition: UpstreamDefinition, routes: readonly string[] = []): void {
  declared.set(definition.name, { definition, routes });
  const prefixed = (setting: string): string => settingName(definition, setting);
  const isOn = (values: SettingValues): boolean => values[prefixed('ENABLED')] === true;
  declareSettings({
    ...{ feature: `upstream ${definition.name}`, ...switchOf(definition) },
    needs: [
      [prefixed('SHARE_TOKEN'), prefixed('TOKEN')],
      [prefixed('ROUTE_PREFIX'), 'ADMIN_PORT', { value: '', shown: '/' }],
    ],
    sourceOf: (values) => {
      if (!isOn(values)) return undefined;
      const { baseUrl, isStrict } = settingsIn(values, definition);
      const { href } = new URL(baseUrl);
      const isDefault = definition.baseUrl !== undefined && href === new URL(definition.baseUrl).href && !isStrict;
      return isDefault ? undefined : `${definition.name} ${isStrict ? 'rfc' : 'default'} ${href}`;
    },
    settleMsOf: (values) => (isOn(values) ? settingsIn(values, definition).settleMs : 0),
  });
}

/** Made once for each definition: a schema takes several kilobytes, and the switch is looked up often. */
function switchOf(definition: UpstreamDefinition): Switch {
  let made = switches.get(definition);
  if (made === undefined) {
    const settings = Object.entries(shapeOf(definition));
    made = {
      shape: Object.fromEntries(settings.map(([setting, schema]) => [settingName(definition, setting), schema])),
      switchedBy: settingName(definition, 'ENABLED'),
    };
    switches.set(definition, made);
  }
  return made;
}

/** The names of a definition's variables. */
export function settingNamesOf(definition: UpstreamDefinition): readonly string[] {
  return Object.keys(switchOf(definition).shape);
}

/** @throws EnvironmentError */
export function upstreamSettings<S extends SettingsShape>(definition: UpstreamDefinition<S>): UpstreamSettings<S> {
  return settingsIn(readEnvironment(), definition);
}

/** Where the gateway is, or would be if the upstream were switched on. */
export function routePrefixOf(definition: UpstreamDefinition): string {
  const given = readEnvironment()[settingName(definition, 'ROUTE_PREFIX')];
  return typeof given === 'string' ? given : (definition.routePrefix ?? `/${definition.name}`);
}

/** The settings of the kit itself, by the names without the prefix. */
function kitShape({ baseUrl, name, routePrefix, ...defaults }: UpstreamDefinition) {
  const apiUrl = httpUrl.meta({ example: baseUrl ?? 'https://api.example' });
  return {
    ENABLED: flag.default(defaults.isEnabled ?? true),
    API_URL: baseUrl === undefined ? apiUrl : apiUrl.default(baseUrl.replace(/\/+$/, '')),
    TOKEN: text
      .refine((value) => /^[\x21-\x7e]+$/.test(value), 'must be printable ASCII without blanks')
      .optional()
      .meta({ example: 'the token that the API gave you' }),
    ROUTE_PREFIX: text
      .regex(/^(?:\/|(?:\/[A-Za-z0-9._~-]+)+)$/, `must be a path such as /${name}, without a slash at its end, or /`)
      .refine((path) => !isOwnPath(path), 'is a path of the service itself')
      .transform((path) => (path === '/' ? '' : path))
      .default(routePrefix ?? `/${name}`),
    PROFILE: oneOf('default', 'rfc').optional().meta({ example: 'rfc' }),
    SHARE_TOKEN: flag.default(false).meta({ example: 'true' }),
    REWRITE_BODIES: flag.default(false).meta({ example: 'true' }),
    FORWARD_HEADERS: text
      .regex(/^(?:\*|[A-Za-z0-9-]+(?:\s*,\s*[A-Za-z0-9-]+)*)$/, 'must be * or header names with commas between them')
      .transform(words)
      .superRefine((names, context) => {
        const wrong = names.filter((one) => NEVER_FORWARDED.has(one.toLowerCase()));
        const message = `names ${wrong.join(', ')}, which the service decides itself`;
        if (wrong.length > 0) context.addIssue({ code: 'custom', message });
      })
      .optional()
      .meta({ example: 'X-Tenant,Prefer' }),
    RULES_FILE: file
      .transform(readRules)
      .optional()
      .meta({ example: `/etc/larder/${name}-rules.json` }),
    SETTLE_SECONDS: whole(0, 3_600).default(defaults.settleSeconds ?? 10),
    RESERVE: number(0, 0.9).default(0.1),
    MAX_CONCURRENCY: whole(1, 10_000).default(defaults.maxConcurrency ?? 64),
    POINTS_PER_MINUTE: whole(0, 1_000_000).default(defaults.pointsPerMinute ?? 0),
    WEBHOOK_SECRET: text
      .transform(words)
      .superRefine((secrets, context) => {
        const problems = secrets.map((one) =>
          one.length < 8 ? 'must have at least 8 characters each' : defaults.webhook?.verifier.problemOfSecret?.(one),
        );
        const problem = problems.find((one) => one !== undefined);
        if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });
      })
      .optional()
      .meta({ example: SECRET_EXAMPLE }),
  };
}

/** The names of the kit's own settings, without a prefix. */
export const KIT_SETTINGS: readonly string[] = Object.keys(kitShape({ name: 'any', baseUrl: undefined }));

function shapeOf(definition: UpstreamDefinition): SettingsShape {
  const { WEBHOOK_SECRET, REWRITE_BODIES, ...shape } = kitShape(definition);
  return {
    ...shape,
    ...(definition.urlMembers && { REWRITE_BODIES }),
    ...(definition.webhook && { WEBHOOK_SECRET }),
    ...definition.settings,
  };
}

function settingsIn<S extends SettingsShape>(
  values: SettingValues,
  definition: UpstreamDefinition<S>,
): UpstreamSettings<S> {
  const valueOf = (setting: string): unknown => values[settingName(definition, setting)];
  const own = Object.keys(definition.settings ?? {}).map((setting) => [setting, valueOf(setting)]);
  const kit = Object.fromEntries(KIT_SETTINGS.map((setting) => [setting, valueOf(setting)])) as unknown as z.infer<
    z.ZodObject<ReturnType<typeof kitShape>>
  >;
  const isShared = kit.SHARE_TOKEN;
  const isStrict = (kit.PROFILE ?? values['GATEWAY_PROFILE']) === 'rfc';
  return {
    baseUrl: kit.API_URL,
    token: kit.TOKEN,
    routePrefix: kit.ROUTE_PREFIX,
    isStrict,
    sharesToken: isShared,
    rewritesBodies: kit.REWRITE_BODIES,
    forwardHeaders: kit.FORWARD_HEADERS ?? [],
    webhookSecrets: kit.WEBHOOK_SECRET ?? [],
    rules: [...(kit.RULES_FILE ?? []), ...parseGatewayRules(JSON.stringify(definition.rules ?? []))],
    settleMs: kit.SETTLE_SECONDS * 1_000,
    reserve: kit.RESERVE,
    maxConcurrency: kit.MAX_CONCURRENCY,
    pointsPerMinute: kit.POINTS_PER_MINUTE,
    // Every page may read public responses; the operator names the pages that may read a token's.
    corsOrigins: (values['CORS_ALLOWED_ORIGINS'] as '*' | string[] | undefined) ?? (isShared ? [] : '*'),
    own: Object.fromEntries(own) as UpstreamSettings<S>['own'],
  };
}

/** Whether the service, or a mounted upstream, answers the path itself. */
export function isOwnPath(path: string): boolean {
  const first = path.split('/')[1]?.toLowerCase() ?? '';
  return (
    OWN_PATHS.has(first) ||
    [...declared].some(([name, { routes }]) => first === `${name}-budget` || routes.includes(first))
  );
}

function words(value: string): string[] {
  return value.split(',').map((one) => one.trim());
}

function readRules(path: string, context: z.RefinementCtx): readonly GatewayRule[] {
  try {
    return parseGatewayRules(readFileSync(path, 'utf8'));
  } catch (error) {
    context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    return z.NEVER;
  }
}
