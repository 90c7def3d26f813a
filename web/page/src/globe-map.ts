import L from 'leaflet';

import { byId } from './dom.js';
import { arrangement } from './sheet/layout.js';

export const FIRST_ZOOM = { min: 2, max: 12 };
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
    trackResize: false, // see KeptCenter
  });
  L.control.zoom({ position: 'topleft' }).addTo(map);
  L.control.scale({ position: 'bottomright', imperial: false, maxWidth: 130 }).addTo(map);
  map.attributionControl.setPrefix('<a href="https://leafletjs.com">Leaflet</a>');
  for (const [name, z] of Object.entries({ land: 150, before: 240, heat: 250, lines: 410, names: 420 })) map.createPane(name).style.zIndex = String(z);
  return map;
}

/** The width of the map that the panel covers, in pixels. */
export const coveredPx = () => (arrangement() === 'sheet' ? 0 : byId('panel').offsetWidth + 20);

/** The zoom at which a layer fits the map apart from the panel, and the nearest one of a first view. */
export function wholeZoom(map: L.Map, bounds: L.LatLngBoundsLiteral): { fitting: number; zoom: number } {
  const fitting = map.getBoundsZoom(L.latLngBounds(bounds).pad(0.05), false, L.point(coveredPx(), 0));
  return { fitting, zoom: Math.min(Math.max(fitting, FIRST_ZOOM.min), FIRST_ZOOM.max) };
}

/** The view of all of a layer, apart from the panel, at zoom 2 or higher. */
export function wholeView(map: L.Map, bounds: L.LatLngBoundsLiteral): { center: L.LatLng; zoom: number } {
  const box = L.latLngBounds(bounds);
  const { zoom } = wholeZoom(map, bounds);
  const center = map.project(box.getSouthWest(), zoom).add(map.project(box.getNorthEast(), zoom)).divideBy(2);
  return { center: map.unproject(center.add([coveredPx() / 2, 0]), zoom), zoom };
}

/** Fits the map to the bounds of a layer, apart from the panel, at zoom 2 or higher. */
export function fit(map: L.Map, bounds: L.LatLngBoundsLiteral): void {
  const { center, zoom } = wholeView(map, bounds);
  map.setView(center, zoom, { animate: false });
}

/** Adds a button below those of the zoom that shows all of the layer. */
export function addWholeButton(map: L.Map, show: () => void): void {
  const control = new L.Control({ position: 'topleft' });
  control.onAdd = () => {
    const bar = L.DomUtil.create('div', 'leaflet-bar map-tools');
    const button = L.DomUtil.create('button', '', bar);
    Object.assign(button, { id: 'whole', type: 'button', title: 'Show the whole layer' });
    button.setAttribute('aria-label', button.title);
    button.innerHTML = '<svg viewBox="0 0 22 22" width="20" height="20" aria-hidden="true"><path d="M4 8V4h4m6 0h4v4m0 6v4h-4m-6 0H4v-4"/></svg>';
    button.addEventListener('click', show);
    L.DomEvent.disableClickPropagation(bar);
    return bar;
  };
  control.addTo(map);
}
