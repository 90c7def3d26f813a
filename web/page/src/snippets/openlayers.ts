import { pageOf } from './html.js';
import { elementsOf, OPENLAYERS, OPENLAYERS_CSS } from './libraries.js';
import { literal, plainBasemap, tileJsonUrl, type View } from './view.js';

/** A page with OpenLayers. */
export function openlayers(view: View): string {
  const { base, basemap } = view;
  const ground = basemap
    ? [`  source: new ol.source.XYZ({ url: ${literal(plainBasemap(basemap.url))}, attributions: ${literal(basemap.attribution)} }),`]
    : [
        `  source: new ol.source.Vector({ url: ${literal(`${base}/assets/land.json`)}, format: new ol.format.TopoJSON(), attributions: 'Natural Earth' }),`,
        "  style: { 'fill-color': '#f6f5f1' },",
      ];
  return pageOf({
    title: view.title,
    head: elementsOf(OPENLAYERS_CSS, OPENLAYERS),
    css: ['#map { background: #dde5ec; }'],
    isModule: false,
    script: [
      `const ground = new ol.layer.${basemap ? 'Tile' : 'Vector'}({`,
      ...ground,
      '});',
      'const heat = new ol.layer.Tile({',
      `  source: new ol.source.TileJSON({ url: ${literal(tileJsonUrl(view))}, crossOrigin: 'anonymous' }),`,
      '});',
      'new ol.Map({',
      "  target: 'map', layers: [ground, heat],",
      `  view: new ol.View({ center: ol.proj.fromLonLat([${view.lng}, ${view.lat}]), zoom: ${view.zoom} }),`,
      '});',
    ],
  });
}
