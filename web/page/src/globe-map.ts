import L from 'leaflet';

import { byId } from './dom.js';

const FIRST_ZOOM = { min: 2, max: 12 };
/** The bounds that are shown without a layer. */
export const WORLD: L.LatLngBoundsLiteral = [[-60, -180], [75, 180]];
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)').matches;

/** Creates the map of the globe. */
export function makeMap(): L.Map {
  const map = L.map('map', {
    worldCopyJump: true,
    minZoom: 1,
    maxZoom: 18,
    zoomAnimation: !reducedMotion,
    inertia: !reducedMotion,
    fadeAnimation: false, // loaded tiles appear at once
    zoomControl: false,
  });
  L.control.zoom({ position: 'topleft' }).addTo(map);
  L.control.scale({ position: 'bottomright', imperial: false, maxWidth: 130 }).addTo(map);
  map.attributionControl.setPrefix('<a href="https://leafletjs.com">Leaflet</a>');
  for (const [name, z] of Object.entries({ land: 150, before: 240, heat: 250, lines: 410, names: 420 })) map.createPane(name).style.zIndex = String(z);
  return map;
}

/** Fits the map to the bounds of a layer, apart from the panel, at zoom 2 or higher. */
export function fit(map: L.Map, bounds: L.LatLngBoundsLiteral): void {
  const box = L.latLngBounds(bounds);
  const covered = innerWidth < 700 ? 0 : byId('panel').offsetWidth + 20;
  const fitting = map.getBoundsZoom(box.pad(0.05), false, L.point(covered, 0));
  const zoom = Math.min(Math.max(fitting, FIRST_ZOOM.min), FIRST_ZOOM.max);
  const center = map.project(box.getSouthWest(), zoom).add(map.project(box.getNorthEast(), zoom)).divideBy(2);
  map.setView(map.unproject(center.add([covered / 2, 0]), zoom), zoom, { animate: false });
}
