import L from 'leaflet';

import { limited, type Ring } from './ring.js';

export type Shape = 'box' | 'polygon';

/** A click within this distance of the first corner closes a polygon. */
const CLOSE_PX = 12;
/** The smallest side of a box. */
const MIN_BOX_PX = 5;

/** Draws a box by a drag, or a polygon by clicks, on the map. */
export class DrawTool {
  private shape: Shape | null = null;
  private corners: L.LatLng[] = [];
  private preview: L.Polygon | L.Polyline | null = null;
  /** Where the drag of a box has started. */
  private start: L.LatLng | null = null;

  constructor(
    private readonly map: L.Map,
    /** Called with a drawn area, or null if the drawing is cancelled. */
    private readonly done: (ring: Ring | null) => void,
    /** Called after each new corner of a polygon. */
    private readonly progress: (corners: number) => void,
  ) {}

  get active(): Shape | null {
    return this.shape;
  }

  /** Starts to draw. The map does not move by a drag while a box is drawn. */
  begin(shape: Shape): void {
    this.end();
    this.shape = shape;
    const box = this.map.getContainer();
    box.classList.add('drawing');
    box.dataset['drawing'] = shape;
    this.map.doubleClickZoom.disable();
    this.map.boxZoom.disable();
    if (shape === 'box') {
      this.map.dragging.disable();
      // Before Leaflet's own listeners.
      box.addEventListener('pointerdown', this.pressed, true);
    } else {
      this.map.on('click', this.clicked, this).on('mousemove', this.hovered, this).on('dblclick', this.finish, this);
    }
    document.addEventListener('keydown', this.typed, true);
  }

  /** Completes a polygon. */
  finish(): void {
    if (this.shape === 'polygon' && this.corners.length >= 3) this.complete(this.corners);
  }

  cancel(): void {
    if (!this.shape) return;
    this.end();
    this.done(null);
  }

  private complete(corners: L.LatLng[]): void {
    const ring = limited(corners.map(({ lng, lat }) => [lng, lat]));
    this.end();
    this.done(ring);
  }

  private end(): void {
    const box = this.map.getContainer();
    box.classList.remove('drawing');
    delete box.dataset['drawing'];
    this.map.dragging.enable();
    this.map.doubleClickZoom.enable();
    this.map.boxZoom.enable();
    this.map.off('click', this.clicked, this).off('mousemove', this.hovered, this).off('dblclick', this.finish, this);
    box.removeEventListener('pointerdown', this.pressed, true);
    removeEventListener('pointermove', this.dragged, true);
    removeEventListener('pointerup', this.released, true);
    removeEventListener('pointercancel', this.released, true);
    document.removeEventListener('keydown', this.typed, true);
    this.preview?.remove();
    this.preview = this.start = this.shape = null;
    this.corners = [];
  }

  private readonly pressed = (event: PointerEvent) => {
    if (!event.isPrimary || event.button !== 0 || (event.target as HTMLElement).closest('.leaflet-control')) return;
    event.preventDefault();
    event.stopPropagation();
    this.start = this.locationOf(event);
    addEventListener('pointermove', this.dragged, true);
    addEventListener('pointerup', this.released, true);
    addEventListener('pointercancel', this.released, true);
  };

  private readonly dragged = (event: PointerEvent) => {
    if (this.start && event.isPrimary) this.show(boxOf(this.start, this.locationOf(event)));
  };

  private readonly released = (event: PointerEvent) => {
    if (!this.start || !event.isPrimary) return;
    const end = this.locationOf(event);
    const [from, to] = [this.start, end].map((location) => this.map.latLngToContainerPoint(location)) as [L.Point, L.Point];
    const isLarge = Math.min(Math.abs(from.x - to.x), Math.abs(from.y - to.y)) >= MIN_BOX_PX;
    if (event.type === 'pointerup' && isLarge) return this.complete(boxOf(this.start, end));
    // A click without a drag: the next drag may succeed.
    this.start = null;
    this.show([]);
  };

  private clicked({ latlng, containerPoint }: L.LeafletMouseEvent): void {
    const [first] = this.corners;
    if (first && this.corners.length >= 3 && this.map.latLngToContainerPoint(first).distanceTo(containerPoint) < CLOSE_PX) return this.finish();
    const last = this.corners.at(-1);
    // The second click of a double click.
    if (last && this.map.latLngToContainerPoint(last).distanceTo(containerPoint) < 3) return;
    this.corners.push(latlng);
    this.show(this.corners);
    this.progress(this.corners.length);
  }

  private hovered({ latlng }: L.LeafletMouseEvent): void {
    if (this.corners.length) this.show([...this.corners, latlng]);
  }

  private readonly typed = (event: KeyboardEvent) => {
    if (event.key === 'Escape') this.cancel();
    else if (event.key === 'Enter' && this.corners.length >= 3) this.finish();
    else if (event.key === 'Backspace' && this.corners.length) {
      this.corners.pop();
      this.show(this.corners);
      this.progress(this.corners.length);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  private show(corners: L.LatLng[]): void {
    this.preview?.remove();
    this.preview = corners.length ? L.polygon(corners, { className: 'area', interactive: false }).addTo(this.map) : null;
  }

  private locationOf(event: PointerEvent): L.LatLng {
    return this.map.containerPointToLatLng(this.map.mouseEventToContainerPoint(event));
  }
}

/** The corners of a box between two locations. */
export function boxOf(from: L.LatLng, to: L.LatLng): L.LatLng[] {
  const box = L.latLngBounds(from, to);
  return [box.getSouthWest(), box.getSouthEast(), box.getNorthEast(), box.getNorthWest()];
}
