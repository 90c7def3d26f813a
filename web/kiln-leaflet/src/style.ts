/** How a layer is drawn, and which of its points: what is left out is as the layer itself has it. */
export interface HeatStyle {
  /** Colors by name; the server's `/catalog` lists them. */
  scheme?: string;
  /** Colors from cold to hot in place of a scheme, such as `transparent,blue,lime 60%,red`. */
  gradient?: string;
  /** Radius of a dot: in pixels of the screen as a number, else with its unit: `500m`, `10km`. */
  radius?: number | string;
  /** Shape of a dot: `gaussian`, `cone`, `quartic`, `epanechnikov`, `triangular`, `uniform`. */
  kernel?: string;
  /** What a pixel shows of the points around it: `sum`, `count`, `mean` or `max`. */
  agg?: string;
  /** Opacity of the whole picture, 0 to 1. */
  opacity?: number;
  /** Share of the colors, from the cold end, over which the picture fades in, 0 to 1. */
  transparent_low?: number;
  /** Where the hottest color is reached: `max`, or a percentile such as `p99`. */
  normalize?: string;
  /** Value of the coldest color, in the unit of the legend. */
  vmin?: number;
  /** Value of the hottest color, in the unit of the legend. */
  vmax?: number;
  /** How values are laid on the colors: `linear`, `sqrt`, `log`, `eqhist`. */
  curve?: string;
  /** Latitude in degrees at which kilometers hold. */
  true_scale?: number;
  /** Only points from this time on. */
  start?: Date | string | number;
  /** Only points before this time. */
  end?: Date | string | number;
  /** Only points of this category, or of these. */
  category?: string | readonly string[];
}

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
