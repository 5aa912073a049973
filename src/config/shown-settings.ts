import { givenSettings } from './env.schema';

/** Names of settings whose values are secrets, those of features too. */
const SECRET = /(?:TOKEN|SECRET|PASSWORD|PASSPHRASE|CREDENTIAL|KEY|OTLP_HEADER)S?$/;
const FLAG = /^(?:true|false|0|1)$/;
/** A password in an address, with or without a scheme: `redis://user:password@host`. */
const PASSWORD_IN_ADDRESS = /((?:^|\/\/)[^/@\s]*?):[^/@\s]*@/g;
const MASK = '(set)';

/** The settings that differ from their defaults, for display: secrets are masked. */
export function shownSettings(given = givenSettings()): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, isSecret(name, value) ? MASK : withoutPassword(value)]),
  );
}

/** A text without the secrets among the settings: for error messages of other programs. */
export function withoutSecrets(text: string, given = givenSettings()): string {
  const secrets = Object.entries(given).flatMap(([name, value]) => {
    const words = isSecret(name, value) ? [value, ...value.split(/[\s,:]+/)] : passwordsIn(value);
    return words.flatMap((word) => [word, encodeURIComponent(word), decoded(word)]);
  });
  const longestFirst = [...new Set(secrets)].filter((one) => one.length > 2).sort((a, b) => b.length - a.length);
  return longestFirst.reduce((rest, one) => rest.replaceAll(one, MASK), text);
}

function isSecret(name: string, value: string): boolean {
  return SECRET.test(name) && !FLAG.test(value);
}

function withoutPassword(value: string): string {
  return value.replace(PASSWORD_IN_ADDRESS, `$1:${MASK}@`);
}

function passwordsIn(value: string): string[] {
  return Array.from(value.matchAll(PASSWORD_IN_ADDRESS), ([whole, before = '']) => whole.slice(before.length + 1, -1));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
