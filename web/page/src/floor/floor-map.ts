import L from 'leaflet';

import { coveredPx } from '../globe-map.js';
import { isCompact } from '../sheet/layout.js';
import { MAX_ZOOM, MIN_ZOOM } from './state.js';

/** Parts of a zoom: a floor fits the window better than at whole zooms. */
const ZOOM_SNAP = 0.25;

/** Creates the map of a plane: x to the east and y to the north in meters. */
export function makeFloorMap(): L.Map {
  const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const map = L.map('map', {
    crs: L.CRS.Simple,
    minZoom: MIN_ZOOM,
    maxZoom: MAX_ZOOM,
    zoomSnap: ZOOM_SNAP,
    zoomAnimation: !reducedMotion,
    inertia: !reducedMotion,
    fadeAnimation: false,
    zoomControl: false,
    trackResize: false, // see KeptCenter
  });
  L.control.zoom({ position: 'topleft' }).addTo(map);
  L.control.scale({ position: 'bottomright', imperial: false }).addTo(map);
  map.attributionControl.setPrefix('<a href="https://leafletjs.com">Leaflet</a>');
  for (const [name, z] of Object.entries({ plan: 150, heat: 250, rooms: 300 })) map.createPane(name).style.zIndex = String(z);
  return map;
}

/** Fits the map to bounds, apart from the panel. */
export function fitFloor(map: L.Map, bounds: L.LatLngBounds): void {
  const isNarrow = isCompact();
  const covered = coveredPx();
  map.fitBounds(bounds, { paddingTopLeft: [isNarrow ? 64 : 20, 20], paddingBottomRight: [covered + 20, isNarrow ? 30 : 110], animate: false });
}
