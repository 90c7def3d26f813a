import L from 'leaflet';

import { legendOf, type Legend } from '../../kiln-client/src/client.js';
import { drawLegend, legendBox } from '../../kiln-client/src/legend-view.js';
import type { HeatLayer } from './heat-layer.js';
import { withoutOpacity } from '../../kiln-client/src/style.js';

/** Options of a legend. */
export interface LegendOptions extends L.ControlOptions {
  /** Heading of the legend. Default: the layer's title. */
  title?: string;
}

/** A control with the color scale in real units. It follows the style and the zoom. */
export class KilnLegend extends L.Control {
  private readonly box = legendBox();
  private readonly listeners: ((legend: Legend) => void)[] = [];
  private source: HeatLayer;
  private pending: AbortController | null = null;
  private current: Legend | null = null;
  private map: L.Map | null = null;

  constructor(source: HeatLayer, options: LegendOptions = {}) {
    super({ position: 'bottomleft', ...options });
    this.source = source;
    L.DomEvent.disableClickPropagation(this.box);
  }

  override onAdd(map: L.Map): HTMLElement {
    this.map = map;
    map.on('zoomend', this.refresh, this);
    this.source.on('restyle', this.refresh, this);
    this.refresh();
    return this.box;
  }

  override onRemove(map: L.Map): void {
    map.off('zoomend', this.refresh, this);
    this.source.off('restyle', this.refresh, this);
    this.pending?.abort();
    this.map = null;
  }

  /** Calls `then` with each new legend. */
  onLegend(then: (legend: Legend) => void): this {
    this.listeners.push(then);
    return this;
  }

  /** The current legend, or null. */
  legend(): Legend | null {
    return this.current;
  }

  /** Sets the layer that the legend describes. */
  setSource(source: HeatLayer): this {
    this.source.off('restyle', this.refresh, this);
    this.source = source;
    if (this.map) {
      source.on('restyle', this.refresh, this);
      this.refresh();
    }
    return this;
  }

  /** Requests the legend again. */
  refresh(): void {
    if (!this.map) return;
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    const zoom = Math.min(Math.max(Math.round(this.map.getZoom()), 0), this.source.tileJson()?.maxzoom ?? 24);
    legendOf(this.source.base, this.source.layerName(), withoutOpacity(this.source.heatStyle()), zoom, signal)
      .then((legend) => {
        if (!signal.aborted) this.draw(legend);
      })
      .catch(() => {
        // The map stays usable without a legend.
        if (!signal.aborted) this.box.replaceChildren();
      });
  }

  private draw(legend: Legend): void {
    this.current = legend;
    drawLegend(this.box, legend, (this.options as LegendOptions).title);
    this.listeners.forEach((then) => then(legend));
  }
}
