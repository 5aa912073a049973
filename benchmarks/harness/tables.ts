import { figure } from './bar-plot';
import type { Spread } from './statistics';

/** `1.02 (0.98–1.1)`, empty for nothing. */
export function withSpread(spread: Spread | undefined): string {
  if (spread === undefined) return '';
  return `${figure(spread.median)} (${fromTo(spread)})`;
}

export function fromTo({ min, max }: Spread): string {
  return `${figure(min)}–${figure(max)}`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
