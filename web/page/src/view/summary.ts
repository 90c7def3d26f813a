import L from 'leaflet';
import { amountOf, valueAt, type HeatLayer } from 'kiln-leaflet';

import { nearestText } from '../context/nearest.js';
import { loadPlaces } from '../context/places.js';
import { byId, debounced, make } from '../dom.js';
import { pixelWidthM } from '../dot-size.js';
import { hotSpots } from './hot-spots.js';
import { boxOf, smallPicture } from './small-picture.js';

const MAX_SPOTS = 5;
/** Pixels of the map per pixel of the picture, and between two spots. */
const SCALE = 8;
const APART_PX = 48;
/** The pause after the last movement of the map, in milliseconds: a screen reader announces each new text. */
const PAUSE_MS = 1200;

/** The hottest places of the view as text, with their values. Nothing is requested while the section is folded. */
export class Summary {
  private readonly section = byId<HTMLDetailsElement>('summary');
  private readonly body = byId('summary-body');
  private pending: AbortController | null = null;
  private shown = '';

  constructor(
    private readonly map: L.Map,
    private readonly source: () => HeatLayer,
    /** The value that sets the unit of texts. */
    private readonly reference: () => number | undefined,
    /** Shows a location and its value on the map. */
    private readonly open: (location: L.LatLng) => void,
  ) {
    this.section.addEventListener('toggle', () => void this.update().then(() => this.section.open && this.section.scrollIntoView({ block: 'nearest' })));
    map.on('moveend', this.updateSoon);
  }

  /** Updates the text after a pause. */
  readonly updateSoon = debounced(() => void this.update(), PAUSE_MS);

  private async update(): Promise<void> {
    if (!this.section.open) return;
    this.pending?.abort();
    const { signal } = (this.pending = new AbortController());
    try {
      const content = await this.describe(signal);
      if (signal.aborted) return;
      const text = content.map(({ textContent }) => textContent).join('\n');
      // An equal text would be announced again.
      if (text !== this.shown) this.body.replaceChildren(...content);
      this.shown = text;
    } catch (error) {
      if (signal.aborted) return;
      this.body.replaceChildren(make('p', 'error', (error as Error).message));
      this.shown = '';
    }
  }

  private async describe(signal: AbortSignal): Promise<HTMLElement[]> {
    const { map } = this;
    const source = this.source();
    const view = this.view();
    const { opacity: _opacity, ...own } = source.heatStyle();
    const { vmin: _vmin, vmax: _vmax, transparent_low: _low, radius = 20, ...style } = own;
    const pixels = Number(String(radius).replace(/px$/, ''));
    const small = { ...style, radius: Number.isFinite(pixels) ? Math.max(pixels / SCALE, 1) : radius };
    const [columns, rows] = [view.width, view.height].map((side) => Math.max(Math.round((256 * 2 ** map.getZoom() * side) / SCALE), 1)) as [number, number];
    // Without names the summary has distances from nowhere: locations.
    const [picture, places] = await Promise.all([smallPicture(source.layerName(), small, view, columns, rows, signal), loadPlaces().catch(() => [])]);
    const { locations, covered } = hotSpots(picture, MAX_SPOTS, APART_PX / SCALE);
    if (!locations.length) return [make('p', 'quiet', 'This view has no heat.')];
    const zoom = Math.min(map.getZoom(), source.tileJson()?.maxzoom ?? 24);
    const values = await Promise.all(locations.map((location) => valueAt(source.base, source.layerName(), own, location, zoom, signal)));
    const list = make('ol', 'spots');
    const spots = locations.map((location, i) => ({ location, value: values[i]! })).sort((a, b) => (b.value.value ?? 0) - (a.value.value ?? 0));
    for (const { location, value } of spots) {
      const item = make('li');
      const button = make('button', 'link', nearestText(places, location, pixelWidthM(location.lat, map.getZoom())));
      button.type = 'button';
      button.addEventListener('click', () => this.open(location));
      item.append(button, ': ', amountOf(value, this.reference()));
      list.append(item);
    }
    return [list, make('p', 'quiet', `Heat covers ${percent(covered)} of the view.`)];
  }

  /** The rectangle of the view, at most one world wide. */
  private view(): ReturnType<typeof boxOf> {
    const view = boxOf(this.map.getBounds());
    if (view.width <= 1) return view;
    return { ...view, left: view.left + (view.width - 1) / 2, width: 1 };
  }
}

const percent = (share: number) => (share < 0.01 ? 'less than 1 %' : `${Math.round(100 * share)} %`);
