import { shallowRef } from 'vue';

/** Which view is open, and with what: the part of the URL after `#`, such as `#/explore?path=/users/redis`. */
export type View = 'try' | 'explore' | 'race' | 'live' | 'entries';

export interface Route {
  readonly view: View;
  readonly query: URLSearchParams;
}

export const VIEWS: readonly { readonly view: View; readonly label: string; readonly title: string }[] = [
  { view: 'try', label: 'Try it', title: 'Try it' },
  { view: 'explore', label: 'Explore', title: 'Explore GitHub' },
  { view: 'race', label: 'Race', title: 'Race' },
  { view: 'live', label: 'Live', title: 'Live' },
  { view: 'entries', label: 'Entries', title: 'Entries' },
];

export const route = shallowRef<Route>(parseRoute(location.hash));

window.addEventListener('hashchange', () => (route.value = parseRoute(location.hash)));

export function linkTo(view: View, query: Readonly<Record<string, string>> = {}): string {
  const search = new URLSearchParams(query).toString();
  return `#/${view}${search === '' ? '' : `?${search}`}`;
}

/** Names the present state of a view in the URL without a new step in the browser's history. */
export function rememberInUrl(view: View, query: Readonly<Record<string, string>>): void {
  history.replaceState(null, '', linkTo(view, query));
  route.value = parseRoute(location.hash);
}

function parseRoute(hash: string): Route {
  const [, name = '', search = ''] = /^#\/([a-z]*)(?:\?(.*))?$/.exec(hash) ?? [];
  const known = VIEWS.find(({ view }) => view === name);
  return { view: known?.view ?? 'try', query: new URLSearchParams(search) };
}
