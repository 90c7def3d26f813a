import { Popup, type Map, type MapMouseEvent } from 'maplibre-gl';

import { describe, text } from '../../kiln-client/src/value-view.js';
import { tileZoom, type HeatLayer } from './heat-layer.js';

/** Shows the value of a layer at a click, in a popup. */
export class ValuePopup {
  private pending: AbortController | null = null;
  private readonly clicked = ({ lngLat }: MapMouseEvent): void => void this.show(lngLat);

  constructor(private readonly map: Map, private readonly source: HeatLayer) {
    map.on('click', this.clicked);
  }

  /** Opens the popup of a location. */
  async show(location: { lng: number; lat: number }): Promise<void> {
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    const open = (content: HTMLElement) => new Popup({ className: 'kiln-popup' }).setLngLat(location).setDOMContent(content).addTo(this.map);
    try {
      const value = await this.source.valueAt(location, tileZoom(this.map), signal);
      if (value && !signal.aborted) open(describe(value));
    } catch (error) {
      if (!signal.aborted) open(text('p', (error as Error).message));
    }
  }

  /** Ends the popups. */
  remove(): void {
    this.pending?.abort();
    this.map.off('click', this.clicked);
  }
}
