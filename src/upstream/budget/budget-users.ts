/** The dimensions by which a request of the budget is counted. */
export const BUDGET_DIMENSIONS = ['client', 'route', 'credential'] as const;
export type BudgetDimension = (typeof BUDGET_DIMENSIONS)[number];

/** Names become labels of metrics, which cost memory: of each dimension so many are counted by name, all others as `other`. */
const MAX_NAMES = 100;
const OTHER = 'other';
/** The product of RFC 9110 §10.1.5 without its version. */
const PRODUCT = /^([A-Za-z][\w.+-]{0,39})(?=[\s/]|$)/;
/** How much of a path's shape is shown: enough for `/repos/{owner}/{repo}/issues`, too little for the path of a file. */
const MAX_SEGMENTS = 4;

/** The first word of a `User-Agent`; `none` without one, `other` for a text that is no product. */
export function clientOf(userAgent: string | undefined): string {
  if (userAgent === undefined || userAgent === '') return 'none';
  return PRODUCT.exec(userAgent)?.[1] ?? OTHER;
}

/** The beginning of a path's shape, which many paths have in common: of a file in a repository, the word `contents`. */
export function routeOf(shape: string): string {
  return shape
    .split('/', MAX_SEGMENTS + 1)
    .map((segment) => (/^(?:\*|[a-z][\w-]{0,39})?$/i.test(segment) ? segment : '*'))
    .join('/');
}

/** The requests that a budget was spent on, by client, by route and by credential. No path, token or address is kept. */
export class BudgetUsers {
  private readonly counts = new Map<BudgetDimension, Map<string, number>>(
    BUDGET_DIMENSIONS.map((dimension) => [dimension, new Map<string, number>()]),
  );

  add(names: Readonly<Record<BudgetDimension, string>>): void {
    for (const [dimension, counts] of this.counts) {
      const given = names[dimension];
      const name = counts.has(given) || counts.size < MAX_NAMES ? given : OTHER;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }

  by(dimension: BudgetDimension): readonly (readonly [name: string, count: number])[] {
    return [...(this.counts.get(dimension) ?? [])];
  }
}
