import { processMemory } from './cache';
import { misspelledSettings } from './config/env.schema';
import { cacheConfig, redisConfig, serviceConfig, upstreamConfig } from './config/slices';
import { openFilesLimit } from './server/connection-limit';
import { startAdvice, type StartAdvice } from './bootstrap/start-advice';
import { mountedDefinitions, upstreamSettings } from './upstream';
import { processesOf } from './workers/primary';

/** The advice on the settings of this process. */
export function currentAdvice(): StartAdvice {
  const { l1, maxEntryBytes } = cacheConfig();
  const { workers, maxConnections, trustProxy } = serviceConfig();
  const strict = mountedDefinitions()
    .filter((definition) => upstreamSettings(definition).isStrict)
    .map(({ name, title = name }) => title);
  const { store, warnings } = startAdvice(
    redisConfig(),
    { credentialSecret: upstreamConfig().credentialSecret, strict },
    { maxBytes: l1.maxBytes, memory: processMemory(processesOf(workers)), maxEntryBytes },
    { maxConnections, openFiles: openFilesLimit(), trustProxy },
  );
  return { store, warnings: [...misspelledSettings(), ...warnings] };
}
