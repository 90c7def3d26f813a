import Control from 'ol/control/Control.js';
import type OlMap from 'ol/Map.js';

import { legendBox } from '../../kiln-client/src/legend-view.js';
import { LegendUpdater } from '../../kiln-client/src/legend-updater.js';
import type { HeatLayer } from './heat-layer.js';

/** A control with the color scale of a layer in real units: `map.addControl(new Legend(heat))`. It follows the style and the zoom. */
export class Legend extends Control {
  private readonly box: HTMLElement;
  private updater: LegendUpdater | null = null;
  private readonly update = (): void => {
    const zoom = this.getMap()?.getView().getZoom();
    if (zoom !== undefined) this.updater?.update(zoom);
  };

  constructor(private readonly source: HeatLayer, private readonly options: { title?: string; target?: HTMLElement } = {}) {
    const box = legendBox();
    super({ element: box, ...(options.target ? { target: options.target } : {}) });
    this.box = box;
    box.classList.add('ol-unselectable', 'ol-control', 'kiln-legend-ol');
  }

  override setMap(map: OlMap | null): void {
    this.getMap()?.un('moveend', this.update);
    this.updater?.stop();
    super.setMap(map);
    if (!map) return;
    this.updater = new LegendUpdater(this.box, this.source, this.options.title);
    map.on('moveend', this.update);
    this.update();
  }
}
