import type { HeatStyle } from './heat-style.js';

export type { HeatStyle };

/** The style as the parameters of an address. */
export function parametersOf(style: HeatStyle): URLSearchParams {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(style)) {
    if (value === undefined || value === null) continue;
    if (value instanceof Date) parameters.set(name, value.toISOString());
    else if (Array.isArray(value)) {
      // As JSON: a category may hold a comma.
      if (value.length) parameters.set(name, JSON.stringify(value));
    } else if (name === 'category') parameters.set(name, JSON.stringify([value]));
    else parameters.set(name, String(value));
  }
  return parameters;
}

/** What a legend or a value has no use for: how opaque the picture is changes no value. */
export function withoutOpacity({ opacity: _, ...style }: HeatStyle): HeatStyle {
  return style;
}
