import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { tlsOptions, type TlsFiles } from '../server/tls';
import { findingsOf, type Finding } from './finding';

const DAY_MS = 86_400_000;
const SOON_MS = 14 * DAY_MS;
const IP = /^[\d.]+$|:/;
const { ok, warning, problem } = findingsOf('TLS');

/** The certificate of the service itself: whether its key belongs to it, how long it is valid and for which host. */
export function checkTls(files: TlsFiles | undefined, publicUrl: string | undefined, now: number): readonly Finding[] {
  if (!files) return [ok('The service speaks plain HTTP: TLS_CERT_FILE is not set.')];
  try {
    tlsOptions(files);
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n').at(-1)?.trim() : String(error);
    return [problem(reason ?? 'The certificate cannot be used.', 'Give the key of this certificate in TLS_KEY_FILE.')];
  }
  const certificate = new X509Certificate(readFileSync(files.certFile));
  return [...validity(certificate, 'TLS_CERT_FILE', now), ...hostFindings(certificate, publicUrl)];
}

/** The files for TLS to Redis. */
export function checkRedisTls(files: Readonly<Record<string, string | undefined>>, now: number): readonly Finding[] {
  return Object.entries(files).flatMap(([name, path]) =>
    path === undefined ? [] : validity(new X509Certificate(readFileSync(path)), name, now),
  );
}

function validity({ validFrom, validTo }: X509Certificate, name: string, now: number): Finding[] {
  const until = Date.parse(validTo);
  const day = new Date(until).toISOString();
  if (until <= now)
    return [
      problem(`The certificate in ${name} ended at ${day}.`, 'Renew it; the files are read again when they change.'),
    ];
  if (Date.parse(validFrom) > now)
    return [
      problem(
        `The certificate in ${name} is valid from ${validFrom} on.`,
        'Wait, or correct the clock of this machine.',
      ),
    ];
  if (until - now < SOON_MS) return [warning(`The certificate in ${name} ends at ${day}.`, 'Renew it.')];
  return [ok(`The certificate in ${name} is valid until ${day}.`)];
}

function hostFindings(certificate: X509Certificate, publicUrl: string | undefined): Finding[] {
  if (publicUrl === undefined) return [];
  const { hostname } = new URL(publicUrl);
  const isNamed = (IP.test(hostname) ? certificate.checkIP(hostname) : certificate.checkHost(hostname)) !== undefined;
  if (isNamed) return [ok(`The certificate names ${hostname}.`)];
  return [
    warning(
      `The certificate does not name ${hostname}, the host of PUBLIC_URL.`,
      'Clients that connect without a proxy refuse it: use a certificate with this name.',
    ),
  ];
}
