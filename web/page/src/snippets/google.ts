import { pageOf } from './html.js';
import { literal, queryOf, type View } from './view.js';

/** A page with Google Maps, which needs a key. The server has the script of the layer. */
export function google(view: View): string {
  return pageOf({
    title: view.title,
    head: [`<script src="${view.base}/assets/kiln-google.js"></script>`],
    isModule: false,
    script: [
      'function start() {',
      `  const map = new google.maps.Map(document.getElementById('map'), { center: { lat: ${view.lat}, lng: ${view.lng} }, zoom: ${view.zoom} });`,
      `  const data = { layer: ${literal(view.layer)}, url: ${literal(view.base)}, query: ${literal(queryOf(view))} };`,
      '  new google.maps.visualization.HeatmapLayer({ map, data, opacity: 1 });',
      '}',
    ],
    foot: ['<!-- In place of YOUR_KEY: your key of the Maps JavaScript API. -->', '<script async src="https://maps.googleapis.com/maps/api/js?key=YOUR_KEY&loading=async&callback=start"></script>'],
  });
}
