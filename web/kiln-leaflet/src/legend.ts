import L from 'leaflet';

import { legendOf, type Legend } from './client.js';
import type { HeatLayer } from './heat-layer.js';
import { withoutOpacity } from './style.js';

/** Options of a legend. */
export interface LegendOptions extends L.ControlOptions {
  /** What stands above the colors. Default: the layer's title. */
  title?: string;
}

/** A control that tells what the colors mean, in real units; it follows the style and the zoom. */
export class KilnLegend extends L.Control {
  private readonly box = L.DomUtil.create('figure', 'kiln-legend');
  private readonly listeners: ((legend: Legend) => void)[] = [];
  private source: HeatLayer;
  private underWay: AbortController | null = null;
  private shown: Legend | null = null;
  private map: L.Map | null = null;

  constructor(source: HeatLayer, options: LegendOptions = {}) {
    super({ position: 'bottomleft', ...options });
    this.source = source;
    this.box.setAttribute('role', 'group');
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
    this.underWay?.abort();
    this.map = null;
  }

  /** Calls `then` with each legend that is shown. */
  onLegend(then: (legend: Legend) => void): this {
    this.listeners.push(then);
    return this;
  }

  /** What is shown. */
  legend(): Legend | null {
    return this.shown;
  }

  /** Tells of another layer. */
  setSource(source: HeatLayer): this {
    this.source.off('restyle', this.refresh, this);
    this.source = source;
    if (this.map) {
      source.on('restyle', this.refresh, this);
      this.refresh();
    }
    return this;
  }

  /** Asks for the legend anew. */
  refresh(): void {
    if (!this.map) return;
    this.underWay?.abort();
    const { signal } = (this.underWay = new AbortController());
    const zoom = Math.min(Math.max(Math.round(this.map.getZoom()), 0), this.source.tileJson()?.maxzoom ?? 24);
    legendOf(this.source.base, this.source.layerName(), withoutOpacity(this.source.heatStyle()), zoom, signal)
      .then((legend) => {
        if (!signal.aborted) this.draw(legend);
      })
      .catch(() => {
        // The map is worth showing without it.
        if (!signal.aborted) this.box.replaceChildren();
      });
  }

  private draw(legend: Legend): void {
    this.shown = legend;
    const title = L.DomUtil.create('figcaption', 'kiln-legend-title');
    title.textContent = (this.options as LegendOptions).title ?? legend.title;
    const bar = L.DomUtil.create('div', 'kiln-legend-bar');
    bar.style.background = `linear-gradient(to right, ${legend.colors.join(', ')})`;
    const ticks = L.DomUtil.create('div', 'kiln-legend-ticks');
    for (const { position, label } of legend.ticks) {
      const tick = L.DomUtil.create('span', 'kiln-legend-tick', ticks);
      tick.style.left = `${100 * position}%`;
      tick.textContent = label;
    }
    const unit = L.DomUtil.create('div', 'kiln-legend-unit');
    unit.textContent = legend.span?.unit ?? 'an absolute scale';
    this.box.replaceChildren(title, bar, ticks, unit);
    spread(ticks);
    this.listeners.forEach((then) => then(legend));
  }
}

/** Takes labels away until the others have room: every second one, or all but every third, and so on. */
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
  // On a curve some crowd at one end, where others have room: those that have none even so go one by one.
  const kept = step <= 3 ? all.filter((_, i) => i % step === 0) : all;
  let end = -Infinity;
  for (const tick of all) {
    const { left, right } = boxes[all.indexOf(tick)]!;
    if (!kept.includes(tick) || left < end + GAP_PX) tick.remove();
    else end = right;
  }
}
