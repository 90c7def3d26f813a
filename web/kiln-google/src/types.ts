import type { ServerLayer } from '../../kiln-client/src/server-layer.js';

/** A location with a weight. */
export interface WeightedLocation {
  location: google.maps.LatLng | google.maps.LatLngLiteral;
  /** The weight of the point. Default: 1. */
  weight?: number;
}

/** A point of a heat map. */
export type HeatmapPoint = google.maps.LatLng | google.maps.LatLngLiteral | WeightedLocation;

/** The data of a heat map: points in the page, or a layer of a Kiln server. */
export type HeatmapData = google.maps.MVCArray<HeatmapPoint> | HeatmapPoint[] | ServerLayer;

/** The options of a {@link HeatmapLayer}. */
export interface HeatmapLayerOptions {
  /** The points, or a layer of a Kiln server: `{ layer: 'stops', url: 'https://heat.example' }`. */
  data?: HeatmapData | null;
  /** Whether dots keep their size in pixels when the map is zoomed. If not, `radius` holds at zoom 0 and doubles with each zoom. Default: true. */
  dissipating?: boolean | null;
  /** CSS colors from cold to hot, at even distances; the first one should be transparent. Default: from green to red; for a layer of a server, those of the layer. */
  gradient?: string[] | null;
  /** The map of the layer. */
  map?: google.maps.Map | null;
  /** The value of the hottest color: that many points of weight 1 at one place. Default: the greatest value in the view; for a layer of a server, that of the layer. */
  maxIntensity?: number | null;
  /** The opacity of the layer, 0 to 1. Default: 0.6. */
  opacity?: number | null;
  /** The radius of a dot in CSS pixels. Default: 20; for a layer of a server, that of the layer. */
  radius?: number | null;
}

/** `google.maps.visualization.HeatmapLayer`. */
export interface HeatmapLayer extends google.maps.MVCObject {
  /** The points as an `MVCArray`, or the layer of a server. */
  getData(): google.maps.MVCArray<HeatmapPoint> | ServerLayer | null;
  setData(data: HeatmapData | null): void;
  getMap(): google.maps.Map | null;
  /** Shows the layer on a map; null removes it. */
  setMap(map: google.maps.Map | null): void;
  getDissipating(): boolean;
  setDissipating(dissipating: boolean | null): void;
  getGradient(): string[] | null;
  setGradient(gradient: string[] | null): void;
  getMaxIntensity(): number | null;
  setMaxIntensity(maxIntensity: number | null): void;
  getOpacity(): number;
  setOpacity(opacity: number | null): void;
  getRadius(): number;
  setRadius(radius: number | null): void;
  /** Changes several options at once. */
  setOptions(options: HeatmapLayerOptions): void;
}

/** The constructor of a {@link HeatmapLayer}. */
export interface HeatmapLayerConstructor {
  new (options?: HeatmapLayerOptions): HeatmapLayer;
}
