import L from 'leaflet';
import { fetchJson, hasHeaders, request } from 'kiln-leaflet';
import type { FeatureCollection, MultiPolygon, Polygon } from 'geojson';

import { BASE, type LayerEntry } from '../catalog.js';
import { showStatus } from '../dom.js';

type Outlines = FeatureCollection<Polygon | MultiPolygon, { name: string }>;

/** The plan of a floor, and the outlines of its rooms. */
export class Plan {
  private readonly paths = new Map<string, L.Path>();

  constructor(private readonly map: L.Map) {}

  /** Shows the plan of a layer. Returns its bounds, or null if there is none. */
  showPlan({ name, floorplan }: LayerEntry): L.LatLngBounds | null {
    if (!floorplan) return null;
    const bounds = L.latLngBounds(floorplan.bounds);
    // The URL that the server reports may be that of another host.
    const url = `${BASE}/${name}/floorplan${new URL(floorplan.url, location.href).search}`;
    const failed = () => showStatus('The floor plan failed to load.', true);
    const show = (picture: string) => L.imageOverlay(picture, bounds, { pane: 'plan', className: 'plan', alt: 'Floor plan' }).on('error', failed).addTo(this.map);
    if (hasHeaders(url)) void this.fetchPlan(url).then(show, failed);
    else show(url);
    return bounds;
  }

  /** Loads a plan with the headers of the other requests, which an image cannot send. */
  private async fetchPlan(url: string): Promise<string> {
    return URL.createObjectURL(await (await request(url)).blob());
  }

  /** Loads and draws the outlines of the rooms. */
  async loadRooms({ name, rooms }: LayerEntry): Promise<void> {
    if (!rooms) return;
    const outlines = await fetchJson<Outlines>(`${BASE}/${name}/rooms`);
    L.geoJSON(outlines, {
      pane: 'rooms',
      style: { className: 'room', weight: 2, fill: false },
      onEachFeature: ({ properties }, layer) => this.paths.set(String(properties.name), layer as unknown as L.Path),
    }).addTo(this.map);
  }

  /** Emphasizes the outline of a room. */
  emphasize(room: string | null): void {
    for (const [name, path] of this.paths) path.getElement()?.classList.toggle('is-pointed', name === room);
  }
}
