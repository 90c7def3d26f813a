// Generated from the declarations of the parameters by `make parameters`.

/** The style and filter of a layer's pictures. The default style is that of the layer. */
export interface HeatStyle {
  /** How dots combine: `add`, or `classic`, the multiplicative dots of the Python heatmap library, byte for byte on a plane. Default: add. */
  blend?: string;
  /** Shape of a dot, from soft to hard: gaussian, quartic, epanechnikov, triangular (in x and y), cone or uniform. Default: gaussian. */
  kernel?: string;
  /** Radius of a dot: `25` or `25px` (pixels), `500m`, `10km` (on the ground at every latitude; plane units on a plane). Default: 20px. */
  radius?: number | string;
  /** Value of a pixel: the sum of the weights of the points around it, their count, or their mean or max weight. Default: sum. */
  agg?: string;
  /** Colors by name; `kiln schemes` and `GET /catalog` list them. Default: heat. */
  scheme?: string;
  /** Colors from cold to hot in place of a scheme, such as `transparent,blue,lime 60%,red`. */
  gradient?: string;
  /** Opacity of the whole picture, 0 to 1: `0.5`, `50%`, `128/255`. Default: 1. */
  opacity?: number | string;
  /** Share of the colors, from the cold end, over which the picture fades in: `20%`. For schemes without transparency. Default: 0. */
  transparent_low?: number | string;
  /** Background of the picture: an opaque CSS color. Default: none (transparent, to overlay on a map). */
  background?: string;
  /** Value of the hottest color if `vmax` is not given: `max`, or a percentile of the picture such as `p99`. Default: p99. */
  normalize?: string;
  /** Unit of sums and counts: per km² or m² of the ground under a pixel, or per pixel. Default: per_km2; per_m2 on a plane, per_px for the band of a GeoTIFF. */
  units?: string;
  /** Value of the coldest color, in the unit of the legend. */
  vmin?: number;
  /** Value of the hottest color, in the unit of the legend. */
  vmax?: number;
  /** Curve from values to colors: linear, sqrt, log, or eqhist (histogram equalization). Default: linear. */
  curve?: string;
  /** Radius as the dot size of the Python heatmap library, in pixels: a single dot is visible to 0.36 times the dot size on each side. Replaces `radius`. */
  dot_size?: number;
  /** Deprecated. It has no effect, since a radius in kilometers and values per km² hold at every latitude. */
  true_scale?: number;
  /** `vmin` and `vmax` in one parameter, such as `0,50`. */
  rescale?: string;
  /** Only points at or after this time: a date, an RFC 3339 time, a year, or Unix seconds. A time without an offset from UTC is a local time of `tz`. */
  start?: Date | string | number;
  /** Only points before this time. */
  end?: Date | string | number;
  /** Only points in these hours of the day, in the time zone `tz`: a list of hours and ranges, such as `7-9`, from 7:00 to 9:59, or `22-4`. */
  hours?: string;
  /** Only points on these days of the week, in the time zone `tz`: names and ranges, such as `mon-fri`. */
  weekdays?: string;
  /** Only points in these months, in the time zone `tz`: names or numbers and ranges, such as `6-8` or `dec-feb`. */
  months?: string;
  /** Time zone of hours, days of the week, months and other parts of the local time, and of `start` and `end` without an offset from UTC: its name in the IANA database. Times of the data without an offset are in UTC. Default: UTC. */
  tz?: string;
  /** Only points of this category or these categories: an array in JSON, a repeated flag, or in a query string a repeated parameter or names separated by commas. The category of a detection indoors is its space, such as a floor. */
  category?: string | readonly string[];
}
