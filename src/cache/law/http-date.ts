/*
 * Dates in header fields (RFC 9110 §5.6.7): three forms to read.
 */

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
const DAY = '(?:mon|tue|wed|thu|fri|sat|sun)';
const MONTH = `(${MONTHS.join('|')})`;
const TIME = '(\\d{2}):(\\d{2}):(\\d{2})';
const IMF_FIXDATE = new RegExp(`^${DAY}, (\\d{2}) ${MONTH} (\\d{4}) ${TIME} gmt$`, 'i');
const RFC850 = new RegExp(`^(?:${DAY}|[a-z]{6,9}), (\\d{2})-${MONTH}-(\\d{2}) ${TIME} gmt$`, 'i');
const ASCTIME = new RegExp(`^${DAY} ${MONTH} ([ \\d]\\d) ${TIME} (\\d{4})$`, 'i');
const HALF_CENTURY = 50;

/**
 * Milliseconds since the epoch, or undefined for a text in none of the three forms, with a time that does not exist, or in a zone other
 * than GMT.
 *
 * @param now for the century of a two-digit year: a date more than 50 years ahead is in the past
 */
export function parseHttpDate(text: string, now: number): number | undefined {
  const imf = IMF_FIXDATE.exec(text);
  if (imf) return instant(imf[3], imf[2], imf[1], imf.slice(4));
  const old = RFC850.exec(text);
  if (old) {
    const thisYear = new Date(now).getUTCFullYear();
    const century = Math.floor(thisYear / 100) * 100;
    let year = century + Number(old[3]);
    if (year > thisYear + HALF_CENTURY) year -= 100;
    return instant(String(year), old[2], old[1], old.slice(4));
  }
  const asctime = ASCTIME.exec(text);
  if (asctime) return instant(asctime[6], asctime[1], asctime[2], asctime.slice(3, 6));
  return undefined;
}

function instant(
  year: string | undefined,
  month: string | undefined,
  day: string | undefined,
  [hour, minute, second]: readonly (string | undefined)[],
): number | undefined {
  const [h, m, s] = [Number(hour), Number(minute), Number(second)];
  const monthAt = MONTHS.indexOf((month ?? '').toLowerCase());
  // 60 is a leap second.
  if (h > 23 || m > 59 || s > 60) return undefined;
  const ms = Date.UTC(Number(year), monthAt, Number(day), h, m, s);
  return new Date(ms).getUTCDate() === Number(day) || h === 23 ? ms : undefined;
}
