import type { z } from 'zod';

/** The variables of all settings, parsed. */
export type SettingValues = Readonly<Record<string, unknown>>;

/** Settings that a feature adds to the service's own. */
export interface FeatureSettings {
  /** A word for the feature; a second declaration replaces the first. */
  readonly feature: string;
  /** Each variable: how it is read, its default, and with `.meta({ example })` an example for the message of a failed start. */
  readonly shape: Readonly<Record<string, z.ZodType>>;
  /** The variable that switches the feature off: then its settings are not needed, and a wrong one does not stop the start. */
  readonly switchedBy?: string;
  /** Variables that require another one, or do so with one value, which is written as shown. */
  readonly needs?: readonly (readonly [
    given: string,
    needed: string,
    when?: { readonly value: unknown; readonly shown: string },
  ])[];
  /** A setting that decides the feature's responses, such as an address; undefined for the default. */
  readonly sourceOf?: (values: SettingValues) => string | undefined;
  /** How long after a change a response may still be the old one, in milliseconds. */
  readonly settleMsOf?: (values: SettingValues) => number;
}

const declared = new Map<string, FeatureSettings>();
let features: readonly FeatureSettings[] = [];

/** Must be called when the feature's module is created: before the environment is read. */
export function declareSettings(settings: FeatureSettings): void {
  declared.set(settings.feature, settings);
  features = [...declared.values()];
}

/** Another array after each declaration. */
export function declaredFeatures(): readonly FeatureSettings[] {
  return features;
}
