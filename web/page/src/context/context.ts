import L from 'leaflet';

import type { Catalog } from '../catalog.js';
import { make, showStatus } from '../dom.js';
import { land, lines } from './land.js';
import { Names } from './names.js';
import { LAST_ZOOM, strengthAt } from './outlines.js';

const HINT_KEY = 'kiln.basemap-hint';

/** What is around the heat map: the basemap of the configuration, or land below it and coasts, borders and names above it. */
export class Context {
  private readonly below: L.GridLayer;
  private readonly above: { lines: L.GridLayer; names: Names } | null = null;

  constructor(private readonly map: L.Map, { page }: Catalog, private isShown: boolean) {
    if (page?.basemap) {
      const attribution = page.attribution ?? '';
      this.below = L.tileLayer(page.basemap, { pane: 'land', attribution, maxZoom: 18, className: 'basemap' }).addTo(map);
      return;
    }
    this.below = land('land').addTo(map);
    this.below.once('tileerror', (event) => showStatus((event as unknown as { error: Error }).error.message, true));
    this.above = { lines: lines('lines'), names: new Names('names') };
    this.show(isShown);
    const fade = () => map.getContainer().style.setProperty('--outlines', String(strengthAt(map.getZoom())));
    map.on('zoomend', fade);
    fade();
    addHint(map);
  }

  /** Loads the names. The heat map comes first. */
  loadNames(): void {
    // Without names the map stays usable.
    this.above?.names.load().catch(() => undefined);
  }

  /** Shows or hides coasts, borders and names. */
  show(isShown: boolean): void {
    this.isShown = isShown;
    for (const layer of this.above ? Object.values(this.above) : []) {
      if (isShown) layer.addTo(this.map);
      else layer.remove();
    }
  }

  /** Draws in the colors of the current theme. */
  redraw(): void {
    this.below.redraw();
    if (!this.isShown) return;
    this.above?.lines.redraw();
    this.above?.names.redraw();
  }
}

/** Adds a hint at the basemap of the configuration, at zooms at which the outlines are too coarse. */
function addHint(map: L.Map): void {
  try {
    if (localStorage.getItem(HINT_KEY)) return;
  } catch {
    // Without local storage the hint can be closed for this page view only.
  }
  // Neither the panel nor the time bar covers this corner.
  const hint = new L.Control({ position: 'bottomleft' });
  hint.onAdd = () => {
    const box = make('div', 'hint');
    const text = make('span', '', 'The outlines end here. For streets, set ');
    text.append(make('code', '', 'page.basemap'), ' in kiln.toml.');
    const close = make('button', 'plain', '×');
    close.type = 'button';
    close.setAttribute('aria-label', 'Close the hint');
    close.addEventListener('click', () => {
      hint.remove();
      map.off('zoomend', update);
      try {
        localStorage.setItem(HINT_KEY, 'closed');
      } catch {
        // See above.
      }
    });
    box.append(text, close);
    L.DomEvent.disableClickPropagation(box);
    return box;
  };
  const update = () => {
    if (map.getZoom() > LAST_ZOOM) hint.addTo(map);
    else hint.remove();
  };
  map.on('zoomend', update);
  update();
}
