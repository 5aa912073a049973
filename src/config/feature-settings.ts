import type { z } from 'zod';

/** The variables of all settings, as they were read. */
export type SettingValues = Readonly<Record<string, unknown>>;

/** Settings that a feature adds to the service's own. */
export interface FeatureSettings {
  /** A word for the feature; a second declaration replaces the first. */
  readonly feature: string;
  /** Each variable: how it is read, its default, and with `.meta({ example })` an example for the message of a failed start. */
  readonly shape: Readonly<Record<string, z.ZodType>>;
  /** Variables that make no sense without another one. */
  readonly needs?: readonly (readonly [given: string, needed: string])[];
  /** What decides the feature's responses beside the requests, such as an address; undefined for the default. */
  readonly sourceOf?: (values: SettingValues) => string | undefined;
  /** For how long after a change a response may still be the old one, in milliseconds. */
  readonly settleMsOf?: (values: SettingValues) => number;
}

const declared = new Map<string, FeatureSettings>();

/** To be called when the feature's module is made: before the environment is read. */
export function declareSettings(settings: FeatureSettings): void {
  declared.set(settings.feature, settings);
}

export function declaredFeatures(): readonly FeatureSettings[] {
  return [...declared.values()];
}
