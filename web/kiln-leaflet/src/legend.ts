import L from 'leaflet';

import { legendOf, type Legend } from './client.js';
import type { HeatLayer } from './heat-layer.js';
import { readableLegend } from './readable.js';
import { withoutOpacity } from './style.js';

/** Options of a legend. */
export interface LegendOptions extends L.ControlOptions {
  /** Heading of the legend. Default: the layer's title. */
  title?: string;
}

/** A control with the color scale in real units. It follows the style and the zoom. */
export class KilnLegend extends L.Control {
  private readonly box = L.DomUtil.create('figure', 'kiln-legend');
  private readonly listeners: ((legend: Legend) => void)[] = [];
  private source: HeatLayer;
  private pending: AbortController | null = null;
  private current: Legend | null = null;
  private map: L.Map | null = null;

  constructor(source: HeatLayer, options: LegendOptions = {}) {
    super({ position: 'bottomleft', ...options });
    this.source = source;
    this.box.setAttribute('aria-label', 'Legend');
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
    const title = L.DomUtil.create('figcaption', 'kiln-legend-title');
    title.textContent = title.title = (this.options as LegendOptions).title ?? legend.title;
    const bar = L.DomUtil.create('div', 'kiln-legend-bar');
    bar.style.background = `linear-gradient(to right, ${legend.colors.join(', ')})`;
    const ticks = L.DomUtil.create('div', 'kiln-legend-ticks');
    const readable = readableLegend(legend);
    for (const { position, label } of readable.ticks) {
      const tick = L.DomUtil.create('span', 'kiln-legend-tick', ticks);
      tick.style.left = `${100 * position}%`;
      tick.textContent = label;
    }
    const unit = L.DomUtil.create('div', 'kiln-legend-unit');
    unit.textContent = unit.title = readable.unit;
    this.box.replaceChildren(title, bar, ticks, unit);
    spread(ticks);
    this.listeners.forEach((then) => then(legend));
  }
}

/** Removes labels that overlap: keeps every second one, every third one, and so on, until the rest fits. */
function spread(ticks: HTMLElement): void {
  const GAP_PX = 7;
  const all = [...ticks.children] as HTMLElement[];
  const { left: start, right: stop } = ticks.getBoundingClientRect();
  for (const tick of all) {
    const { left, right } = tick.getBoundingClientRect();
    if (left < start - 6) tick.classList.add('kiln-first');
    else if (right > stop + 6) tick.classList.add('kiln-last');
  }
  const boxes = all.map((tick) => tick.getBoundingClientRect());
  const fits = (step: number) => boxes.every((box, i) => i < step || i % step > 0 || box.left >= boxes[i - step]!.right + GAP_PX);
  let step = 1;
  while (step < all.length && !fits(step)) step++;
  // On a non-linear scale labels crowd at one end only. Remove just those that overlap.
  const kept = step <= 3 ? all.filter((_, i) => i % step === 0) : all;
  let end = -Infinity;
  for (const tick of all) {
    const { left, right } = boxes[all.indexOf(tick)]!;
    if (!kept.includes(tick) || left < end + GAP_PX) tick.remove();
    else end = right;
  }
}
