import type { IControl, Map } from 'maplibre-gl';

import { legendBox } from '../../kiln-client/src/legend-view.js';
import { LegendUpdater } from '../../kiln-client/src/legend-updater.js';
import { tileZoom, type HeatLayer } from './heat-layer.js';

/** A control with the color scale of a layer in real units: `map.addControl(new Legend(heat), 'bottom-left')`. It follows the style and the zoom. */
export class Legend implements IControl {
  private readonly box = legendBox();
  private map: Map | null = null;
  private updater: LegendUpdater | null = null;
  private readonly update = (): void => {
    if (this.map) this.updater?.update(tileZoom(this.map));
  };

  constructor(private readonly source: HeatLayer, private readonly options: { title?: string } = {}) {
    this.box.classList.add('maplibregl-ctrl');
  }

  onAdd(map: Map): HTMLElement {
    this.map = map;
    this.updater = new LegendUpdater(this.box, this.source, this.options.title);
    map.on('zoomend', this.update);
    // The labels are placed by their width, which they have on the page only.
    queueMicrotask(this.update);
    return this.box;
  }

  onRemove(): void {
    this.updater?.stop();
    this.map?.off('zoomend', this.update);
    this.map = null;
    this.box.remove();
  }
}
