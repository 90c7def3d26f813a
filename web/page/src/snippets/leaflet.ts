import { literal, tilesUrl, type View } from './view.js';

/** The layer for a page that has a map of Leaflet. */
export function leaflet(view: View): string {
  const attribution = view.attribution ? `, { attribution: ${literal(view.attribution)} }` : '';
  return [
    '// `map` is the map of a page with Leaflet 1.9, such as',
    `// const map = L.map('map').setView([${view.lat}, ${view.lng}], ${view.zoom});`,
    `L.tileLayer(${literal(tilesUrl(view, '{r}'))}${attribution}).addTo(map);`,
  ].join('\n');
}
