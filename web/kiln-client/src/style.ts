import type { HeatStyle } from './heat-style.js';

export type { HeatStyle };

let hasWarned = false;

/** Warns once that a style has the parameter `true_scale`. */
function warnOfTrueScale(): void {
  if (!hasWarned) console.warn('kiln-leaflet: true_scale is deprecated and has no effect; a radius in km and values per km² hold at every latitude.');
  hasWarned = true;
}

/** The style as query parameters, without the deprecated `true_scale`. */
export function parametersOf(style: HeatStyle): URLSearchParams {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(style)) {
    if (value === undefined || value === null) continue;
    if (name === 'true_scale') warnOfTrueScale();
    else if (value instanceof Date) parameters.set(name, value.toISOString());
    else if (Array.isArray(value)) {
      // As JSON: the name of a category may contain a comma.
      if (value.length) parameters.set(name, JSON.stringify(value));
    } else if (name === 'category') parameters.set(name, JSON.stringify([value]));
    else parameters.set(name, String(value));
  }
  return parameters;
}

/** The style without its opacity, which changes neither values nor legends. */
export function withoutOpacity({ opacity: _, ...style }: HeatStyle): HeatStyle {
  return style;
}
