import type { Legend } from './client.js';

/** A unit in which values up to a maximum have readable numbers, and the factor to it. */
export interface ReadableUnit {
  factor: number;
  unit: string;
}

/**
 * Returns the unit in which values up to `max` are readable: 0.00003 points per km² are 30 points per million km². Values that are not
 * tiny, and units without an area, stay as they are.
 */
export function readableUnit(unit: string, max: number): ReadableUnit {
  const size = Math.abs(max);
  const [, amount, area] = /^(.*\bper )(k?m²)$/.exec(unit) ?? [];
  if (!area || !(size > 0) || size >= 0.01) return { factor: 1, unit };
  const [factor, count] = size >= 1e-5 ? [1e3, '1,000'] : [1e6, 'million'];
  return { factor, unit: `${amount}${count} ${area}` };
}

/** Returns the ticks and the unit of a legend with readable numbers. */
export function readableLegend({ span, ticks }: Legend): { ticks: { position: number; label: string }[]; unit: string } {
  if (!span) return { ticks, unit: 'an absolute scale' };
  const { factor, unit } = readableUnit(span.unit, Math.max(Math.abs(span.vmin), Math.abs(span.vmax)));
  if (factor === 1) return { ticks, unit };
  const label = (value: number) => String(Number((factor * value).toPrecision(9))).replace('-', '−');
  return { ticks: ticks.map(({ position, value }) => ({ position, label: label(value) })), unit };
}
