import { pageOf } from './html.js';
import { literal, tilesUrl, type View } from './view.js';

/** A page with Google Maps, which needs a key. */
export function google(view: View): string {
  return pageOf({
    title: view.title,
    head: [],
    isModule: false,
    script: [
      `const tiles = ${literal(tilesUrl(view, '{r}'))};`,
      'function tileUrl({ x, y }, zoom) {',
      '  const across = 2 ** zoom;',
      '  if (y < 0 || y >= across) return null;',
      '  const column = ((x % across) + across) % across; // the map repeats the world',
      "  const ratio = devicePixelRatio > 1 ? '@2x' : '';",
      "  return tiles.replace('{z}', zoom).replace('{x}', column).replace('{y}', y).replace('{r}', ratio);",
      '}',
      'function start() {',
      `  const map = new google.maps.Map(document.getElementById('map'), { center: { lat: ${view.lat}, lng: ${view.lng} }, zoom: ${view.zoom} });`,
      `  map.overlayMapTypes.push(new google.maps.ImageMapType({ name: ${literal(view.title)}, getTileUrl: tileUrl, tileSize: new google.maps.Size(256, 256), maxZoom: 24 }));`,
      '}',
    ],
    foot: ['<!-- In place of YOUR_KEY: your key of the Maps JavaScript API. -->', '<script async src="https://maps.googleapis.com/maps/api/js?key=YOUR_KEY&loading=async&callback=start"></script>'],
  });
}
