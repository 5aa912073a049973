import { EnvironmentError, readEnvironment } from '../config/env.schema';
import { shownSettings, withoutSecrets } from '../config/shown-settings';
import { redisConfig, serviceConfig, upstreamConfig } from '../config/slices';
import { currentAdvice } from '../current-advice';
import { mountedDefinitions, probeUpstream } from '../upstream';
import { findingsOf, type Finding } from './finding';
import { checkRedis } from './redis.check';
import { checkRedisTls, checkTls } from './tls.check';
import { upstreamFindings } from './upstream.check';

const settingsFindings = findingsOf('Settings');

/**
 * Checks everything that the service depends on, with its current settings, and suggests a remedy for each problem. It changes only keys
 * of its own in Redis, which it removes, and reveals no secret.
 *
 * @param load imports the root module, which declares the settings; an error of it is reported like an invalid setting
 */
export async function examine(load: () => Promise<unknown>): Promise<readonly Finding[]> {
  try {
    await load();
    readEnvironment();
  } catch (error) {
    if (!(error instanceof EnvironmentError)) throw error;
    return error.message
      .split('\n')
      .slice(1)
      .map((line) => {
        const [, text = line, example] = /^\s*(.*?)(?: Example: (.*))?$/.exec(line) ?? [];
        const remedy = example === undefined ? 'Correct it, then run the doctor again.' : `Example: ${example}`;
        return settingsFindings.problem(withoutSecrets(text), remedy);
      });
  }
  const { tls, publicUrl } = serviceConfig();
  const now = Date.now();
  const parts = [
    settings(),
    checkTls(tls, publicUrl, now),
    await redis(now),
    ...(await Promise.all(
      mountedDefinitions().map(async (one) => upstreamFindings(one, await probeUpstream(one, upstreamConfig().limits))),
    )),
  ];
  return parts.flat().map((finding) => ({
    ...finding,
    text: withoutSecrets(finding.text),
    ...(finding.remedy !== undefined && { remedy: withoutSecrets(finding.remedy) }),
  }));
}

function settings(): readonly Finding[] {
  const shown = Object.entries(shownSettings()).map(([name, value]) => `${name}=${value}`);
  const { warnings } = currentAdvice();
  return [
    settingsFindings.ok(
      shown.length === 0 ? 'All have their defaults.' : `Other than the defaults: ${shown.join(', ')}.`,
    ),
    ...warnings.map((warning) => {
      const [, text = warning, remedy = 'See .env.sample.'] =
        /^(.*?[.:]) ((?:Set|Unset|Raise|Did|Rename|Use)\b.*)$/s.exec(warning) ?? [];
      return settingsFindings.warning(text, remedy);
    }),
  ];
}

async function redis(now: number): Promise<readonly Finding[]> {
  const { endpoint, tls, store, ...rest } = redisConfig();
  if (!endpoint) {
    const why = store === 'memory' ? 'CACHE_STORE is memory' : 'REDIS_ENDPOINT_URI is not set';
    return [findingsOf('Redis').ok(`Not used: entries are kept in memory only, for ${why}.`)];
  }
  const files = { REDIS_TLS_CA_FILE: tls.caFile, REDIS_TLS_CERT_FILE: tls.certFile };
  return [...checkRedisTls(files, now), ...(await checkRedis({ ...rest, tls, endpoint }))];
}
