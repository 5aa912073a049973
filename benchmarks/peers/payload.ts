/** What every peer answers under `/payload/{bytes}`. */
export interface Payload {
  readonly items: readonly PayloadItem[];
  readonly padding: string;
}

export interface PayloadItem {
  readonly id: number;
  readonly login: string;
  readonly url: string;
  readonly site_admin: boolean;
}

const made = new Map<number, Payload>();

/** JSON of exactly so many bytes (from 27 on), in the manner of a list that a REST API gives; the same at every call. */
export function payloadOf(bytes: number): Payload {
  const known = made.get(bytes);
  if (known) return known;
  const items: PayloadItem[] = [];
  let length = JSON.stringify({ items, padding: '' }).length;
  for (let id = 1; ; id += 1) {
    const login = `account-${(id * 7_919) % 100_003}`;
    const item = { id, login, url: `https://api.github.com/users/${login}`, site_admin: id % 3 === 0 };
    const more = JSON.stringify(item).length + (items.length > 0 ? 1 : 0);
    if (length + more > bytes) break;
    items.push(item);
    length += more;
  }
  const payload = { items, padding: '.'.repeat(Math.max(0, bytes - length)) };
  made.set(bytes, payload);
  return payload;
}
