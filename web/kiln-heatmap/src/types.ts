import type { ServerLayer } from '../../kiln-client/src/server-layer.js';

/** A point: its position in pixels of the container, its value, and optionally a radius of its own. The fields may have other names. */
export type HeatmapPoint = Record<string, number>;

/** The points and the range of their values. */
export interface HeatmapData {
  /** The value of the coldest color. Default of `setData`: 0. */
  min?: number;
  /** The value of the hottest color. Default of `setData`: 1. */
  max?: number;
  data: HeatmapPoint[];
}

/** The range of the colors, as `onExtremaChange` gets it. */
export interface Extrema {
  min: number;
  max: number;
  gradient: Record<string, string>;
}

/** The configuration of heatmap.js. */
export interface HeatmapConfiguration {
  /** The element that the heat map fills. */
  container: HTMLElement;
  /** The radius of a dot in CSS pixels. Default: 40. */
  radius?: number;
  /** The share of the radius over which a dot fades out, 0 to 1. Default: 0.85. */
  blur?: number;
  /** The opacity of all pixels with heat, 0 to 1, in place of one that grows with the value. Default: none. */
  opacity?: number;
  /** The highest and the lowest opacity of a pixel with heat, 0 to 1. Default: 1 and 0. */
  maxOpacity?: number;
  minOpacity?: number;
  /** CSS colors by their shares, 0 to 1. */
  gradient?: Record<string, string>;
  /** A CSS color below the heat. Default: none. */
  backgroundColor?: string;
  /** The size of the canvas in CSS pixels. Default: that of the container. */
  width?: number;
  height?: number;
  /** The fields of a point. Default: `x`, `y` and `value`. */
  xField?: string;
  yField?: string;
  valueField?: string;
  /** Called when the range of the colors changes. */
  onExtremaChange?: (extrema: Extrema) => void;
}

/** A heat map in an element of the page. */
export interface Heatmap {
  /** Adds a point, several, or several with a range. */
  addData(data: HeatmapPoint | HeatmapPoint[] | HeatmapData): this;
  /** Removes the points at the positions of the given ones. */
  removeData(data: HeatmapPoint | HeatmapPoint[]): this;
  /** Replaces all points, or shows a layer on a plane of a server: its y axis runs upwards, so that the container is below 0. */
  setData(data: HeatmapData | ServerLayer): this;
  setDataMax(max: number): this;
  setDataMin(min: number): this;
  /** Changes the configuration. */
  configure(configuration: Partial<HeatmapConfiguration>): this;
  /** Draws the heat map at once, with the current size of the container. */
  repaint(): this;
  /** The value of the heat at a position, rounded. */
  getValueAt(position: { x: number; y: number }): number;
  getData(): { min: number; max: number; data: HeatmapPoint[] };
  /** The heat map as a data URL of a PNG. */
  getDataURL(): string;
}
