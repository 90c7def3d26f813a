// Generated from the declarations of the parameters by `make parameters`.

/** How a layer is drawn, and which of its points: what is left out is as the layer itself has it. */
export interface HeatStyle {
  /** How dots combine: `add`, or `classic`, the Python heatmap library's multiplicative dots, to the byte on a plane. Default: add. */
  blend?: string;
  /** Shape of a dot, from soft to hard: gaussian, quartic, epanechnikov, triangular (in x and y), cone or uniform. Default: gaussian. */
  kernel?: string;
  /** Radius of a dot: `25` or `25px` (pixels), `500m`, `10km` (on the ground; plane units on a plane). Default: 20px. */
  radius?: number | string;
  /** Latitude in degrees at which kilometers in `radius`, `vmin` and `vmax` hold. Pictures that meet without a seam need the same one. Default: the picture's middle. */
  true_scale?: number;
  /** What a pixel shows of the points around it: the sum of their weights, their count, or the mean or max weight. Default: sum. */
  agg?: string;
  /** Colors by name; `kiln schemes` and `GET /catalog` list them. Default: heat. */
  scheme?: string;
  /** Colors from cold to hot in place of a scheme, such as `transparent,blue,lime 60%,red`. */
  gradient?: string;
  /** Opacity of the whole picture, 0 to 1: `0.5`, `50%`, `128/255`. Default: 1. */
  opacity?: number | string;
  /** Share of the colors, from the cold end, over which the picture fades in, for schemes without transparency: `20%`. Default: 0. */
  transparent_low?: number | string;
  /** An opaque CSS color to print the picture on. Default: none, so that the picture can be laid over a map. */
  background?: string;
  /** Where the hottest color is reached: `max`, or a percentile of the picture such as `p99`. Default: p99. */
  normalize?: string;
  /** Value of the coldest color, in the unit of the legend. */
  vmin?: number;
  /** Value of the hottest color, in the unit of the legend. */
  vmax?: number;
  /** How values are laid on the colors: linear, sqrt, log, or eqhist (equal areas). Default: linear. */
  curve?: string;
  /** Radius as the Python heatmap library's dot size in pixels, of which a lone dot shows 0.36 to each side; in place of `radius`. */
  dot_size?: number;
  /** `vmin` and `vmax` in one, such as `0,50`. */
  rescale?: string;
  /** Only points from this time on: a date, an RFC 3339 time, a year, or Unix seconds. */
  start?: Date | string | number;
  /** Only points before this time. */
  end?: Date | string | number;
  /** Only points of this category, or of these: a list in JSON, flags that are given several times, or in a query string names separated by commas. */
  category?: string | readonly string[];
}
