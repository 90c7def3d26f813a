import type L from 'leaflet';

/**
 * Keeps the center of a map whose size changes. Leaflet moves the map by whole pixels, so that the center would drift, and with it the
 * position in the URL.
 */
export class KeptCenter {
  /** The center that the user or the URL has set. */
  private center: L.LatLng | null = null;
  private resizing = false;

  constructor(map: L.Map) {
    map.on('moveend', () => {
      if (!this.resizing) this.center = map.getCenter();
    });
    new ResizeObserver(() => {
      const before = map.getSize();
      this.resizing = true;
      map.invalidateSize({ animate: false, pan: false });
      // The observer also reports the first size, and a pan by nothing is a move for the listeners of the map.
      if (this.center && !map.getSize().equals(before)) {
        const offset = map.latLngToContainerPoint(this.center).subtract(map.getSize().divideBy(2)).round();
        map.panBy(offset, { animate: false });
      }
      this.resizing = false;
    }).observe(map.getContainer());
  }

  /** Whether the map moves because its size has changed. */
  get isResizing(): boolean {
    return this.resizing;
  }
}
