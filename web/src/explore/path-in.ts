import { Failure } from '../api/failure';

/** What is sent of a text that was typed or pasted, and a sentence on what is not; empty if all of it is. */
export interface Target {
  readonly path: string;
  readonly dropped: string;
}

/**
 * A path of GitHub's API from what was typed or pasted: a whole URL of it, or of this gateway, too. A browser resolves the segments
 * `.` and `..`, written as `%2e` too, before it sends a path (URL Standard, path state): such a path would ask for something else, so
 * it is refused.
 */
export function pathIn(text: string, prefix: string): Target | Failure {
  const [, origin = '', rest = ''] = /^(https?:\/\/[^/?#\\]*)?(.*)$/is.exec(text.trim()) ?? [];
  const hash = rest.indexOf('#');
  const local = hash < 0 ? rest : rest.slice(0, hash);
  const inside = local.startsWith(`${prefix}/`) ? local.slice(prefix.length) : local;
  const path = `/${inside.replace(/^\/+/, '')}`;
  const [beforeQuery = ''] = path.split('?');
  const segments = beforeQuery.split(/[/\\]/).map((segment) => segment.replaceAll(/%2e/gi, '.'));
  if (segments.some((segment) => segment === '.' || segment === '..')) {
    return new Failure(
      'Not a path that can be sent',
      'A browser resolves the segments "." and ".." (and "%2e") before it sends a path, so another path would be asked for. Write the path without them.',
    );
  }
  const dropped = [
    ...(origin === '' ? [] : [`the address ${origin}, for only this service is asked`]),
    ...(hash < 0 ? [] : [`the fragment ${rest.slice(hash)}, which no browser sends`]),
  ];
  return { path, dropped: dropped.length === 0 ? '' : `Left out: ${dropped.join('; ')}.` };
}
