import L from 'leaflet';
import { KilnError, fetchJson } from 'kiln-leaflet';
import type { FeatureCollection, Polygon, MultiPolygon } from 'geojson';

import { BASE } from '../catalog.js';

/** The response of `/{layer}/floorplan.json`. */
interface PlanReply {
  url: string;
  /** West, south, east, north, in meters. */
  bounds: [number, number, number, number];
}

type Outlines = FeatureCollection<Polygon | MultiPolygon, { name: string }>;

/** Returns the response, or null if the server has none. */
async function optional<T>(url: string): Promise<T | null> {
  return fetchJson<T>(url).catch((error: unknown) => {
    if (error instanceof KilnError && error.status === 404) return null;
    throw error;
  });
}

/** The plan of a floor, and the outlines of its rooms. */
export class Plan {
  private picture: L.ImageOverlay | null = null;
  private outlines: L.GeoJSON | null = null;
  private readonly paths = new Map<string, L.Path>();

  constructor(private readonly map: L.Map) {}

  /** Loads the plan and the rooms of a layer. Returns the bounds of the plan, or null without one. */
  async load(layer: string): Promise<{ bounds: L.LatLngBounds | null; rooms: string[] }> {
    const [plan, rooms] = await Promise.all([
      optional<PlanReply>(`${BASE}/${layer}/floorplan.json`),
      optional<Outlines>(`${BASE}/${layer}/rooms`),
    ]);
    this.remove();
    let bounds: L.LatLngBounds | null = null;
    if (plan) {
      const [west, south, east, north] = plan.bounds;
      bounds = L.latLngBounds([south, west], [north, east]);
      const url = new URL(plan.url, `${BASE}/`).href;
      this.picture = L.imageOverlay(url, bounds, { pane: 'plan', className: 'plan', alt: 'Floor plan' }).addTo(this.map);
    }
    this.showRooms(rooms);
    return { bounds, rooms: [...this.paths.keys()] };
  }

  private showRooms(rooms: Outlines | null): void {
    if (!rooms?.features.length) return;
    this.outlines = L.geoJSON(rooms, {
      pane: 'rooms',
      style: { className: 'room', weight: 2, fill: false },
      onEachFeature: (feature, layer) => {
        const { name } = feature.properties as { name: string };
        this.paths.set(name, layer as unknown as L.Path);
      },
    }).addTo(this.map);
  }

  /** Emphasizes the outline of a room. */
  emphasize(room: string | null): void {
    for (const [name, path] of this.paths) path.getElement()?.classList.toggle('is-pointed', name === room);
  }

  remove(): void {
    this.picture?.remove();
    this.outlines?.remove();
    this.picture = this.outlines = null;
    this.paths.clear();
  }
}
