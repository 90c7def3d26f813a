import L from 'leaflet';
import { fetchJson, parametersOf, type HeatStyle } from 'kiln-leaflet';

import { BASE, type LayerEntry, type Statistics } from '../catalog.js';
import { coveredPx } from '../globe-map.js';
import { isCompact } from '../sheet/layout.js';
import { AreaCard } from './area-card.js';
import { boxOf, DrawTool, type Shape } from './draw-tool.js';
import { areaKm2, filterOf, geoJsonOf, limited, type Ring } from './ring.js';

/** Bins of the histograms. */
const BINS = 24;
/** The width of the map that the card of an area covers, and the least width that is left next to it, in pixels. */
const CARD_PX = 326;
const MIN_ROOM_PX = 200;
/** The height of the map that the time bar covers. */
const TIMES_PX = 100;
/** The margin around an area. */
const EDGE_PX = 40;
const ICONS: Record<Shape, string> = {
  box: '<rect x="3.5" y="5.5" width="15" height="11" rx="1"/>',
  polygon: '<path d="M11 3.5 18.5 9l-3 9.5H6.5l-3-9.5z"/>',
};

/** The statistics of the points in a box or polygon on the map. */
export class Area {
  private readonly tool: DrawTool;
  private readonly card: AreaCard;
  private readonly buttons = new Map<Shape, HTMLButtonElement>();
  private ring: Ring | null = null;
  private outline: L.Polygon | null = null;
  private pending: AbortController | null = null;
  private requested = '';
  private source: { layer: LayerEntry; style: HeatStyle } | null = null;

  constructor(
    private readonly map: L.Map,
    /** Called with a new area, or null if it is closed. */
    private readonly changed: (ring: Ring | null) => void,
    /** Called when drawing starts and ends. */
    private readonly drawing: (isDrawing: boolean) => void,
  ) {
    this.tool = new DrawTool(
      map,
      (ring) => this.drawn(ring),
      (corners) => this.card.explain('polygon', corners),
    );
    this.card = new AreaCard({
      view: () => {
        const bounds = map.getBounds();
        this.tool.cancel();
        this.changed(limited(boxOf(bounds.getSouthWest(), bounds.getNorthEast()).map(({ lng, lat }) => [lng, lat])));
      },
      finish: () => this.tool.finish(),
      cancel: () => (this.tool.active ? this.tool.cancel() : this.changed(null)),
      zoom: () => this.fit(true),
      retry: () => {
        this.requested = '';
        void this.load();
      },
    });
    this.addButtons();
  }

  /** Shows an area and its statistics in a layer with a style, whose filter applies. */
  show(ring: Ring | null, layer: LayerEntry | undefined, style: HeatStyle): void {
    this.source = layer ? { layer, style } : null;
    if (JSON.stringify(ring) !== JSON.stringify(this.ring)) {
      this.ring = ring;
      this.outline?.remove();
      this.outline = ring && L.polygon(ring.map(([lng, lat]): L.LatLngTuple => [lat, lng]), { className: 'area', interactive: false }).addTo(this.map);
    }
    if (ring) return void this.load();
    this.pending?.abort();
    this.requested = '';
    if (!this.tool.active) this.card.hide();
  }

  /** Fits the map to the area, apart from the panel and the card of the area. */
  fit(animate: boolean): void {
    if (!this.outline) return;
    const [card, panel] = isCompact() ? [0, 0] : [CARD_PX, coveredPx()];
    const bottom = !isCompact() && document.body.classList.contains('has-times') ? TIMES_PX : 0;
    const left = this.map.getSize().x - card - panel > MIN_ROOM_PX ? card : 0;
    this.map.fitBounds(this.outline.getBounds(), { paddingTopLeft: [left + EDGE_PX, EDGE_PX], paddingBottomRight: [panel + EDGE_PX, bottom + EDGE_PX], animate });
  }

  private addButtons(): void {
    const control = new L.Control({ position: 'topleft' });
    control.onAdd = () => {
      const bar = L.DomUtil.create('div', 'leaflet-bar area-tools');
      for (const shape of ['box', 'polygon'] as const) {
        const button = L.DomUtil.create('button', '', bar);
        button.type = 'button';
        button.title = `Statistics of a ${shape}`;
        button.setAttribute('aria-label', button.title);
        button.setAttribute('aria-pressed', 'false');
        button.innerHTML = `<svg viewBox="0 0 22 22" width="20" height="20" aria-hidden="true">${ICONS[shape]}</svg>`;
        button.addEventListener('click', () => (this.tool.active === shape ? this.tool.cancel() : this.begin(shape)));
        this.buttons.set(shape, button);
      }
      L.DomEvent.disableClickPropagation(bar);
      return bar;
    };
    control.addTo(this.map);
  }

  private begin(shape: Shape): void {
    this.changed(null);
    this.tool.begin(shape);
    this.press(shape);
    this.map.closePopup();
    this.drawing(true);
    this.card.explain(shape);
  }

  private drawn(ring: Ring | null): void {
    this.press(null);
    // After the click that the browser sends at the end of a drag.
    setTimeout(() => this.drawing(false), 50);
    if (ring) this.changed(ring);
    else if (!this.ring) this.card.hide();
  }

  private press(shape: Shape | null): void {
    for (const [each, button] of this.buttons) button.setAttribute('aria-pressed', String(each === shape));
  }

  private async load(): Promise<void> {
    const { ring, source } = this;
    if (!ring || !source) return;
    const parameters = parametersOf(filterOf(source.style));
    parameters.set('bins', String(BINS));
    const url = `${BASE}/${source.layer.name}/statistics?${parameters}`;
    const body = geoJsonOf(ring);
    const key = `${url} ${source.layer.version} ${body}`;
    if (key === this.requested) return;
    this.requested = key;
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    this.card.wait();
    try {
      const init = { method: 'POST', headers: { 'content-type': 'application/geo+json' }, body, signal };
      const statistics = await fetchJson<Statistics>(url, init);
      if (!signal.aborted) this.card.report(statistics, areaKm2(ring), source.layer.weight);
    } catch (error) {
      if (signal.aborted) return;
      this.card.fail((error as Error).message);
    }
  }
}
