import L from 'leaflet';

import type { Ramp, Scale } from './ramps.js';

/** The width of a character of a label, as a share of that of the bar. */
const CHARACTER = 0.03;

/** A control with the colors of cells. */
export class FloorLegend extends L.Control {
  private readonly box = L.DomUtil.create('figure', 'kiln-legend');

  constructor() {
    super({ position: 'bottomleft' });
    this.box.setAttribute('aria-label', 'Legend');
    L.DomEvent.disableClickPropagation(this.box);
  }

  override onAdd(): HTMLElement {
    return this.box;
  }

  /** Shows a scale, or hides the control if it is null. */
  show(scale: { title: string; unit: string; ramp: Ramp; scale: Scale } | null): void {
    this.box.replaceChildren();
    if (!scale) return;
    const title = L.DomUtil.create('figcaption', 'kiln-legend-title', this.box);
    title.textContent = scale.title;
    const bar = L.DomUtil.create('div', 'kiln-legend-bar', this.box);
    bar.style.background = `linear-gradient(to right, ${scale.ramp.css.join(', ')})`;
    const ticks = L.DomUtil.create('div', 'kiln-legend-ticks', this.box);
    let end = -1; // the right edge of the last label
    for (const { position, label } of scale.scale.ticks) {
      const side = position < 0.04 ? ' kiln-first' : position > 0.96 ? ' kiln-last' : '';
      const width = CHARACTER * label.length;
      const left = side === ' kiln-first' ? position : position - (side ? width : width / 2);
      // Labels at the low end of a curve would overlap.
      if (left < end + CHARACTER) continue;
      end = left + width;
      const tick = L.DomUtil.create('span', `kiln-legend-tick${side}`, ticks);
      tick.style.left = `${100 * position}%`;
      tick.textContent = label;
    }
    L.DomUtil.create('div', 'kiln-legend-unit', this.box).textContent = scale.unit;
  }
}
