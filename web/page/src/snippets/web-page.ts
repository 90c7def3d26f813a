import { pageOf } from './html.js';
import { elementsOf, LEAFLET, LEAFLET_CSS, TOPOJSON } from './libraries.js';
import { literal, type View } from './view.js';

/** A complete page with Leaflet: land or the basemap, the layer, and its legend. It also works as a file. */
export function webPage({ base, layer, title, query, zoom, lat, lng, basemap }: View): string {
  const ground = basemap
    ? [`L.tileLayer(${literal(basemap.url)}, { attribution: ${literal(basemap.attribution)} }).addTo(map);`]
    : [
        '// Outlines of land, which the server has. A basemap with streets, for a page on a web server:',
        "// L.tileLayer('https://tile.openstreetmap.org/{z}/{x}/{y}.png', { attribution: '© OpenStreetMap contributors' }).addTo(map);",
        'const land = await (await fetch(`${kiln}/assets/land.json`)).json();',
        "map.createPane('land').style.zIndex = 100;",
        "const look = { stroke: false, fillColor: '#f6f5f1', fillOpacity: 1 };",
        "L.geoJSON(topojson.feature(land, 'land'), { pane: 'land', interactive: false, style: look, attribution: 'Natural Earth' }).addTo(map);",
      ];
  return pageOf({
    title,
    head: elementsOf(LEAFLET_CSS, LEAFLET, ...(basemap ? [] : [TOPOJSON])),
    css: ['#map { background: #dde5ec; }', '.legend { padding: 6px; border-radius: 6px; background: #fff; box-shadow: 0 1px 5px #0004; }'],
    isModule: true,
    script: [
      `const kiln = ${literal(base)};`,
      `const style = ${literal(query)};`,
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
