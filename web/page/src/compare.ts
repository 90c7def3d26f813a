import type L from 'leaflet';

import { byId } from './dom.js';

/** A divider across the map, with the earlier view to its left and the current one to its right. */
export class Swipe {
  private readonly box = byId('swipe');
  private readonly slider = byId<HTMLInputElement>('swipe-at');

  constructor(
    private readonly map: L.Map,
    private readonly before: HTMLElement,
    private readonly after: HTMLElement,
    changed: (percent: number) => void,
  ) {
    map.on('move zoomend resize viewreset', () => this.clip());
    this.slider.addEventListener('input', () => {
      this.clip();
      changed(this.slider.valueAsNumber);
    });
  }

  /** Shows the divider, or hides it if `percent` is null. */
  show(percent: number | null, labels: [string, string] = ['', '']): void {
    this.box.hidden = percent === null;
    if (percent !== null) this.slider.value = String(percent);
    byId('before-label').textContent = labels[0];
    byId('after-label').textContent = labels[1];
    this.clip();
  }

  /** Clips both panes at the divider. The panes move with the map. */
  private clip(): void {
    if (this.box.hidden) {
      this.before.style.clipPath = this.after.style.clipPath = '';
      return;
    }
    const size = this.map.getSize();
    const at = (size.x * this.slider.valueAsNumber) / 100;
    const [top, line, end] = [
      this.map.containerPointToLayerPoint([0, 0]),
      this.map.containerPointToLayerPoint([at, 0]),
      this.map.containerPointToLayerPoint([size.x, size.y]),
    ];
    const cut = (left: number, right: number) =>
      `polygon(${left}px ${top.y}px, ${right}px ${top.y}px, ${right}px ${end.y}px, ${left}px ${end.y}px)`;
    this.before.style.clipPath = cut(top.x, line.x);
    this.after.style.clipPath = cut(line.x, end.x);
    byId('swipe-line').style.left = `${at}px`;
    byId('before-label').style.right = `${size.x - at + 12}px`;
    byId('after-label').style.left = `${at + 12}px`;
  }
}
