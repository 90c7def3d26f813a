const UNITS = ['bytes', 'kB', 'MB', 'GB', 'TB'];

/** A size in bytes, in powers of 1000 as file managers show it. */
export function bytesText(bytes: number): string {
  if (!Number.isFinite(bytes)) return 'any size';
  let [value, unit] = [bytes, 0];
  while (value >= 1000 && unit < UNITS.length - 1) [value, unit] = [value / 1000, unit + 1];
  return `${unit && value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** A message of the server as a sentence. */
export const sentence = (text: string): string => text && `${text[0]!.toUpperCase()}${text.slice(1)}${/[.!?…]$/.test(text) ? '' : '.'}`;
