/** A bar, and from where to where its figure strayed. */
export interface Bar {
  readonly label: string;
  readonly value: number;
  readonly min?: number;
  readonly max?: number;
  /** Ours are told apart by colour. */
  readonly isOurs: boolean;
}

const WIDTH = 820;
const LABEL_WIDTH = 250;
const ROW = 26;
const HEAD = 44;
const VALUE_WIDTH = 90;

/** Horizontal bars as SVG, the spread as a thin line. */
export function barPlot(title: string, unit: string, bars: readonly Bar[]): string {
  const most = Math.max(...bars.map(({ value, max }) => max ?? value), 1e-9);
  const scale = (WIDTH - LABEL_WIDTH - VALUE_WIDTH) / most;
  const height = HEAD + bars.length * ROW + 12;
  const rows = bars.map((bar, at) => row(bar, HEAD + at * ROW, scale));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="13">
<title>${escape(title)}</title>
<rect width="${WIDTH}" height="${height}" fill="#fff"/>
<text x="10" y="24" font-size="15" font-weight="bold">${escape(title)} (${escape(unit)})</text>
${rows.join('\n')}
</svg>
`;
}

function row({ label, value, min, max, isOurs }: Bar, y: number, scale: number): string {
  const width = Math.max(1, value * scale);
  const middle = y + ROW / 2;
  const spread =
    min === undefined || max === undefined
      ? ''
      : `<line x1="${x(min * scale)}" x2="${x(max * scale)}" y1="${middle}" y2="${middle}" stroke="#222" stroke-width="1.5"/>`;
  const from = Math.max(width, (max ?? 0) * scale);
  return [
    `<text x="${LABEL_WIDTH - 8}" y="${middle + 4}" text-anchor="end">${escape(label)}</text>`,
    `<rect x="${LABEL_WIDTH}" y="${y + 3}" width="${width.toFixed(1)}" height="${ROW - 6}" fill="${isOurs ? '#c2410c' : '#94a3b8'}"/>`,
    spread,
    `<text x="${x(from + 6)}" y="${middle + 4}">${figure(value)}</text>`,
  ].join('');
}

function x(offset: number): string {
  return (LABEL_WIDTH + offset).toFixed(1);
}

/** A figure with as many digits as it is worth. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return 'none';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return String(Number(value.toPrecision(3)));
}

function escape(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}
