import type OlMap from 'ol/Map.js';
import type MapBrowserEvent from 'ol/MapBrowserEvent.js';
import Overlay from 'ol/Overlay.js';
import { toLonLat } from 'ol/proj.js';

import { describe, text } from '../../kiln-client/src/value-view.js';
import type { HeatLayer } from './heat-layer.js';

/** Shows the value of a layer at a click, in a popup. */
export class ValuePopup {
  private readonly box = Object.assign(document.createElement('div'), { className: 'kiln-popup-ol' });
  private readonly overlay = new Overlay({ element: this.box, positioning: 'bottom-center', offset: [0, -8], autoPan: { animation: { duration: 150 } } });
  private pending: AbortController | null = null;
  private readonly clicked = ({ coordinate }: MapBrowserEvent): void => void this.show(coordinate);

  constructor(private readonly map: OlMap, private readonly source: HeatLayer) {
    map.addOverlay(this.overlay);
    map.on('singleclick', this.clicked);
  }

  /** Opens the popup of a coordinate of the view. */
  async show(coordinate: number[]): Promise<void> {
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    const view = this.map.getView();
    const [lng = 0, lat = 0] = toLonLat(coordinate, view.getProjection());
    this.overlay.setPosition(undefined);
    const open = (content: HTMLElement): void => {
      this.box.replaceChildren(content);
      this.overlay.setPosition(coordinate);
    };
    try {
      const value = await this.source.valueAt({ lng, lat }, view.getZoom() ?? 0, signal);
      if (value && !signal.aborted) open(describe(value));
    } catch (error) {
      if (!signal.aborted) open(text('p', (error as Error).message));
    }
  }

  /** Ends the popups. */
  remove(): void {
    this.pending?.abort();
    this.map.un('singleclick', this.clicked);
    this.map.removeOverlay(this.overlay);
  }
}
