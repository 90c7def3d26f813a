import { pageOf } from './html.js';
import { elementsOf, LEAFLET, LEAFLET_CSS, TOPOJSON } from './libraries.js';
import { literal, queryOf, type View } from './view.js';

/** A complete page with Leaflet: land or the basemap, the layer, and its legend. It also works as a file, if `server.cors_origins` allows the origin `null`. */
export function webPage(view: View): string {
  const { base, layer, title, zoom, lat, lng, basemap } = view;
  const ground = basemap
    ? [`L.tileLayer(${literal(basemap.url)}, { attribution: ${literal(basemap.attribution)} }).addTo(map);`]
    : [
        '// Outlines of land, which the server has. A basemap with streets, for a page on a web server:',
        "// L.tileLayer('https://tile.openstreetmap.org/{z}/{x}/{y}.png', { attribution: '© OpenStreetMap contributors' }).addTo(map);",
        'const land = await (await fetch(`${kiln}/assets/land.json`)).json();',
        "map.createPane('land').style.zIndex = 100;",
        "const look = { stroke: false, fillColor: '#f6f5f1', fillOpacity: 1 };",
        'for (const turn of [-360, 0, 360]) { // the copies of the world',
        '  const coordsToLatLng = ([lng, lat]) => [lat, lng + turn];',
        "  const options = { pane: 'land', interactive: false, style: look, coordsToLatLng, attribution: 'Natural Earth' };",
        "  L.geoJSON(topojson.feature(land, 'land'), options).addTo(map);",
        '}',
      ];
  return pageOf({
    title,
    head: elementsOf(LEAFLET_CSS, LEAFLET, ...(basemap ? [] : [TOPOJSON])),
    css: ['#map { background: #dde5ec; }'],
    isModule: true,
    script: [
      `const kiln = ${literal(base)};`,
      `const style = ${literal(queryOf(view))};`,
      `const map = L.map('map').setView([${lat}, ${lng}], ${zoom});`,
      '',
      ...ground,
      '',
      '// The heat map.',
      `const layer = await (await fetch(\`\${kiln}/${layer}?\${style}\`)).json();`,
      'const [west, south, east, north] = layer.bounds;',
      "L.tileLayer(layer.tiles[0].replace('{y}', '{y}{r}'), {",
      '  bounds: [[south, west], [north, east]], maxNativeZoom: layer.maxzoom, attribution: layer.attribution,',
      '}).addTo(map);',
      '',
      '// The legend of the zoom.',
      "const legend = L.control({ position: 'bottomleft' });",
      "legend.onAdd = () => Object.assign(L.DomUtil.create('img', 'legend'), { alt: 'Legend' });",
      'legend.addTo(map);',
      `const showLegend = () => { legend.getContainer().src = \`\${kiln}/${layer}/legend.png?zoom=\${map.getZoom()}&\${style}\`; };`,
      "map.on('zoomend', showLegend);",
      'showLegend();',
    ],
  });
}
