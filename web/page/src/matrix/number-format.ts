/** Writes a value. */
export type NumberFormat = (value: number) => string;

/** The number of digits from which values have a prefix, such as K or M. */
const LONG = 5;
const SCALES: [number, string][] = [[1e12, 'T'], [1e9, 'B'], [1e6, 'M'], [1e3, 'K'], [1, '']];
const MAX_DECIMALS = 6;

const fixed = (decimals: number, isGrouped: boolean): NumberFormat => {
  const format = new Intl.NumberFormat('en', { minimumFractionDigits: decimals, maximumFractionDigits: decimals, useGrouping: isGrouped });
  // A value that is rounded to zero has no sign.
  return (value) => format.format(value).replace(/^-(?=[0.]*$)/, '').replace('-', '−');
};

/** Formats for the values of one chart, the best first. Each writes all values alike: with the same prefix and the same number of decimals. */
export function formatsOf(values: number[]): NumberFormat[] {
  const greatest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const isWhole = values.every(Number.isInteger);
  if (greatest >= 10 ** LONG) {
    const [scale, letter] = SCALES.find(([scale]) => greatest >= scale)!;
    const decimals = Math.max(2 - Math.floor(Math.log10(greatest / scale)), 0);
    return [decimals, 0].map((count) => {
      const format = fixed(count, false);
      return (value: number) => `${format(value / scale)}${letter}`;
    });
  }
  const whole = [fixed(0, true), fixed(0, false)];
  if (isWhole || greatest >= 10 ** (LONG - 1)) return whole;
  const range = values.reduce((most, value) => Math.max(most, value), -Infinity) - values.reduce((least, value) => Math.min(least, value), Infinity);
  // Two digits of the difference between the least and the greatest value.
  const decimals = Math.min(Math.max(Math.ceil(1 - Math.log10(range || greatest)), 1), MAX_DECIMALS);
  return [fixed(decimals, true), fixed(decimals, false), ...(range >= 10 ? whole : [])];
}
