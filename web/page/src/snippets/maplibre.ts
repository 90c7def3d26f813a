import { pageOf } from './html.js';
import { elementsOf, importMap, MAPLIBRE, MAPLIBRE_CSS, TOPOJSON } from './libraries.js';
import { literal, plainBasemap, tileJsonUrl, type View } from './view.js';

/** A page with MapLibre GL. */
export function maplibre(view: View): string {
  const { base, basemap } = view;
  const source = basemap
    ? `{ type: 'raster', tileSize: 256, tiles: [${literal(plainBasemap(basemap.url))}], attribution: ${literal(basemap.attribution)} }`
    : "{ type: 'geojson', data: topojson.feature(land, 'land'), attribution: 'Natural Earth' }";
  const ground = basemap ? "{ id: 'ground', type: 'raster', source: 'ground' }" : "{ id: 'ground', type: 'fill', source: 'ground', paint: { 'fill-color': '#f6f5f1' } }";
  return pageOf({
    title: view.title,
    head: [...elementsOf(MAPLIBRE_CSS, ...(basemap ? [] : [TOPOJSON])), importMap('maplibre-gl', MAPLIBRE)],
    css: ['#map { background: #dde5ec; }'],
    isModule: true,
    script: [
      "import { Map, NavigationControl } from 'maplibre-gl';",
      '',
      ...(basemap ? [] : [`const land = await (await fetch(${literal(`${base}/assets/land.json`)})).json();`]),
      'const map = new Map({',
      // A zoom of MapLibre is that of tiles of 512 pixels.
      `  container: 'map', center: [${view.lng}, ${view.lat}], zoom: ${view.zoom - 1},`,
      '  style: {',
      '    version: 8,',
      '    sources: {',
      `      ground: ${source},`,
      `      heat: { type: 'raster', tileSize: 256, url: ${literal(tileJsonUrl(view))} },`,
      '    },',
      '    layers: [',
      `      ${ground},`,
      "      { id: 'heat', type: 'raster', source: 'heat' },",
      '    ],',
      '  },',
      '});',
      'map.addControl(new NavigationControl());',
    ],
  });
}
