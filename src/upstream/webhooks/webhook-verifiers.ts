import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/*
 * The ways in which APIs prove that a webhook is theirs. Every secret is tried, in constant time: during a rotation there are several.
 */

/** A header field of the delivery by its name in lower case; undefined where it is missing or repeated. */
export type DeliveryField = (name: string) => string | undefined;

export interface WebhookVerifier {
  /** The header fields that carry the proof, as the API writes them: for messages and documents. */
  readonly headers: readonly string[];
  /** Whether some of the fields suffice. By default all are needed. */
  readonly hasAlternatives?: boolean;
  /** Undefined where the fields are missing or of another form: then the body is not read at all. */
  readonly begin: (secrets: readonly string[], field: DeliveryField, nowMs: number) => BodyCheck | undefined;
  /** The fault of a secret, as the end of a sentence; undefined for none. */
  readonly problemOfSecret?: (secret: string) => string | undefined;
}

/** Checks one body while it is received. */
export interface BodyCheck {
  /** @param bytes as they were received */
  add(bytes: Buffer): void;
  /** To be called once, at the end. */
  isValid(): boolean;
}

export interface HmacOptions {
  /** The field with the signature, as the API writes it. Example: `X-Hub-Signature-256` */
  readonly header: string;
  /** By default `sha256`. */
  readonly algorithm?: 'sha1' | 'sha256' | 'sha384' | 'sha512';
  /** By default `hex`. */
  readonly encoding?: 'hex' | 'base64';
  /** The beginning of the signature. Example: `sha256=`; by default nothing. */
  readonly prefix?: string;
  /**
   * The field with the time of the signature, in seconds or milliseconds since the epoch, which is signed in front of the body. Example:
   * `X-Timestamp`; by default the body alone is signed.
   */
  readonly timestamp?: string;
  /**
   * Where the field is a list that has the time as well, as Stripe's `t=1700000000,v1=5257a8…`: the names of the time and of the signatures, of
   * which one has to be right. Example: `{ timestamp: 't', signature: 'v1' }`
   */
  readonly members?: { readonly timestamp: string; readonly signature: string };
  /** The signed text in front of the body. By default the time and a full stop; Slack's: ``(time) => `v0:${time}:` `` */
  readonly beforeBody?: (timestamp: string) => string;
  /** How old or how far ahead a delivery with a time may be, in milliseconds. By default five minutes. */
  readonly toleranceMs?: number;
}

/** HMAC (RFC 2104) over the raw body, and over a time in front of it where there is one. */
export function hmacSignature({
  header,
  algorithm = 'sha256',
  encoding = 'hex',
  prefix = '',
  timestamp,
  members,
  beforeBody = (time) => `${time}.`,
  toleranceMs = TOLERANCE_MS,
}: HmacOptions): WebhookVerifier {
  const name = header.toLowerCase();
  const length = createHash(algorithm).digest().length;
  return {
    headers: timestamp === undefined ? [header] : [timestamp, header],
    begin: (secrets, field, nowMs) => {
      const text = field(name) ?? '';
      const listed = members && membersOf(text);
      const [inList] = listed ? listed(members.timestamp) : [];
      const time = timestamp === undefined ? inList : field(timestamp.toLowerCase());
      const isTimed = members !== undefined || timestamp !== undefined;
      if (isTimed && !isRecent(time ?? '', nowMs, toleranceMs)) return undefined;
      const given = (listed ? listed(members.signature) : [text]).flatMap((one) =>
        one.startsWith(prefix) ? (decoded(one.slice(prefix.length), encoding, length) ?? []) : [],
      );
      const signed = time === undefined ? '' : beforeBody(time);
      if (given.length === 0) return undefined;
      return checkOf(given, secrets, (secret) => createHmac(algorithm, secret).update(signed));
    },
  };
}

/** The values of each name in `t=1,v1=a,v1=b`. */
function membersOf(text: string): (name: string) => readonly string[] {
  const pairs = text.split(',', MAX_MEMBERS).map((pair) => pair.trim());
  return (name) => pairs.flatMap((pair) => (pair.startsWith(`${name}=`) ? pair.slice(name.length + 1) : []));
}

const MAX_MEMBERS = 16;
const TOLERANCE_MS = 300_000;
/** Larger times are milliseconds. */
const MAX_EPOCH_SECONDS = 100_000_000_000;

function isRecent(time: string, nowMs: number, toleranceMs: number): boolean {
  if (!/^\d{1,15}$/.test(time)) return false;
  const at = Number(time) * (Number(time) > MAX_EPOCH_SECONDS ? 1 : 1_000);
  return Math.abs(nowMs - at) <= toleranceMs;
}

export interface StandardWebhooksOptions {
  /** How old or how far ahead a delivery may be, in milliseconds. By default five minutes. */
  readonly toleranceMs?: number;
}

/**
 * https://www.standardwebhooks.com: `v1` signatures over id, timestamp and body. Of a
 * secret `whsec_…` the rest is base64.
 */
export function standardWebhooks({ toleranceMs = TOLERANCE_MS }: StandardWebhooksOptions = {}): WebhookVerifier {
  return {
    headers: ['webhook-id', 'webhook-timestamp', 'webhook-signature'],
    problemOfSecret: (secret) =>
      secret.startsWith('whsec_') && keyOf(secret).length === 0 ? 'must be whsec_ and base64' : undefined,
    begin: (secrets, field, nowMs) => {
      const [id, timestamp] = [field('webhook-id') ?? '', field('webhook-timestamp') ?? ''];
      if (id === '' || !isRecent(timestamp, nowMs, toleranceMs)) return undefined;
      const given = (field('webhook-signature') ?? '')
        .split(' ')
        .slice(0, MAX_SIGNATURES)
        .flatMap((one) => (one.startsWith('v1,') ? (decoded(one.slice(3), 'base64', 32) ?? []) : []));
      if (given.length === 0) return undefined;
      return checkOf(given, secrets, (secret) => createHmac('sha256', keyOf(secret)).update(`${id}.${timestamp}.`));
    },
  };
}

export interface PlainTokenOptions {
  /** The field with the secret itself, as the API writes it. Example: `X-Webhook-Token` */
  readonly header: string;
}

/** The secret itself in a field. It proves who sends, not what: use it only where the API has nothing better. */
export function plainToken({ header }: PlainTokenOptions): WebhookVerifier {
  const name = header.toLowerCase();
  return {
    headers: [header],
    begin: (secrets, field) => {
      const given = field(name);
      // Digests are of one length, whatever the texts are.
      const isValid = given !== undefined && isOneOf(digestOf(given), secrets.map(digestOf));
      return isValid ? { add: () => undefined, isValid: () => true } : undefined;
    },
  };
}

/** Any one of several proofs suffices: for an API that has a newer one beside an older one. */
export function anyVerifier(...verifiers: readonly WebhookVerifier[]): WebhookVerifier {
  return {
    headers: verifiers.flatMap(({ headers }) => headers),
    hasAlternatives: true,
    problemOfSecret: (secret) => {
      const problems = verifiers.map((one) => one.problemOfSecret?.(secret));
      return problems.find((one) => one !== undefined);
    },
    begin: (...delivery) => {
      const checks = verifiers.flatMap((one) => one.begin(...delivery) ?? []);
      if (checks.length === 0) return undefined;
      return {
        add: (bytes) => {
          for (const check of checks) check.add(bytes);
        },
        isValid: () => checks.filter((check) => check.isValid()).length > 0,
      };
    },
  };
}

const MAX_SIGNATURES = 8;

function checkOf(
  given: readonly Buffer[],
  secrets: readonly string[],
  hashOf: (secret: string) => ReturnType<typeof createHmac>,
): BodyCheck {
  const hashes = secrets.map(hashOf);
  return {
    add: (bytes) => {
      for (const hash of hashes) hash.update(bytes);
    },
    isValid: () => {
      const digests = hashes.map((hash) => hash.digest());
      let isValid = false;
      for (const one of given) if (isOneOf(one, digests)) isValid = true;
      return isValid;
    },
  };
}

/** Looks at all of them, so that the time says nothing. */
function isOneOf(given: Buffer, known: readonly Buffer[]): boolean {
  let isValid = false;
  for (const one of known) if (timingSafeEqual(given, one)) isValid = true;
  return isValid;
}

function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function keyOf(secret: string): Buffer | string {
  return secret.startsWith('whsec_') ? Buffer.from(secret.slice(6), 'base64') : secret;
}

/** Undefined for a text that is not exactly so many bytes in this encoding. */
function decoded(text: string, encoding: 'hex' | 'base64', length: number): Buffer | undefined {
  const isOne =
    encoding === 'hex' ? /^[0-9a-f]*$/i.test(text) && text.length === 2 * length : /^[A-Za-z0-9+/]+={0,2}$/.test(text);
  const bytes = isOne ? Buffer.from(text, encoding) : undefined;
  return bytes?.length === length ? bytes : undefined;
}
