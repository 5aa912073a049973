import type { HeaderList } from '../cache';
import { joinedNames, selectionKey } from '../cache/law';
import { forwardedHeaders, type HeaderRules } from './gateway/header-rules';

/** The names of the variants that plain requests select, by the lists of field names of an index. */
export type PlainSelections = (lists: readonly (readonly string[])[]) => ReadonlySet<string>;

/**
 * Plain requests ask for JSON or for anything, in no language, and send the service's own further fields, such as the API's version, or none of
 * them. Code of the service may read their responses; any other response is what one client wished to have.
 *
 * @param own the fields of the service's own requests, names in lower case
 */
export function plainSelections(own: Readonly<Record<string, string>>, rules: HeaderRules): PlainSelections {
  const fields = Object.entries(own);
  const further = fields.filter(([name]) => name !== 'accept');
  const accepted = fields.filter(([name]) => name === 'accept').map(([, value]) => value);
  const accepts = [...new Set([undefined, '*/*', 'application/json', ...accepted])];
  const requests = accepts.flatMap((accept) =>
    [[], further].flatMap((more) =>
      [undefined, 'gzip'].map((coding): HeaderList =>
        forwardedHeaders(
          [
            ...more,
            ...(accept === undefined ? [] : [['accept', accept] as const]),
            ...(coding === undefined ? [] : [['accept-encoding', coding] as const]),
          ],
          rules,
          true,
        ),
      ),
    ),
  );
  return (lists) =>
    new Set(
      lists.flatMap((list) => {
        const names = joinedNames(list, rules.selecting);
        return requests.map((request) => selectionKey(names, request));
      }),
    );
}
