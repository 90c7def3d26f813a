import * as L from 'leaflet';
import leafletCss from 'leaflet/dist/leaflet.css?inline';
import { feature, mesh } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import atlas from 'world-atlas/countries-110m.json';
import css from './heat.css?inline';
import { closed, unwrapped } from '../../page/src/context/rings';
import { Requests, urlOf, type Model } from './model';

type World = Topology<{ countries: GeometryCollection; land: GeometryCollection }>;

/** Land and borders, for a map without a basemap. */
function outlines(): L.Layer {
  const world = atlas as unknown as World;
  const options = { pane: 'outlines', renderer: L.canvas({ pane: 'outlines', padding: 0.5 }), interactive: false };
  // Leaflet shows tiles in each copy of the world, but a polygon in one.
  const copies = (line: number[][]): L.LatLngTuple[][] =>
    [-360, 0, 360].map((turn) => line.map(([lng = 0, lat = 0]): L.LatLngTuple => [lat, lng + turn]));
  const land = feature(world, world.objects.land).features.flatMap(({ geometry }) => {
    if (geometry.type === 'Polygon') return [geometry.coordinates];
    return geometry.type === 'MultiPolygon' ? geometry.coordinates : [];
  });
  const rings = land.flatMap(([outer = [], ...holes]) => {
    const inner = holes.map((hole) => copies(unwrapped(hole)));
    return copies(closed(unwrapped(outer))).map((ring, copy) => [ring, ...inner.map((hole) => hole[copy]!)]);
  });
  const borders = mesh(world, world.objects.countries, (a, b) => a !== b).coordinates.flatMap((line) => copies(unwrapped(line)));
  return L.layerGroup([
    L.polygon(rings, { ...options, color: '#b9c2cc', weight: 0.7, fillColor: '#f4f2ec', fillOpacity: 1 }),
    L.polyline(borders, { ...options, color: '#cfd4da', weight: 0.7 }),
  ]);
}

/** The tiles of the kernel. */
class Tiles extends L.GridLayer {
  readonly #requests: Requests;
  readonly #urls = new WeakMap<HTMLElement, string>();

  constructor(requests: Requests, options: L.GridLayerOptions) {
    super(options);
    this.#requests = requests;
    this.on('tileunload', ({ tile }: L.TileEvent) => {
      tile.dataset['removed'] = '';
      const url = this.#urls.get(tile);
      if (url) URL.revokeObjectURL(url);
    });
  }

  override createTile(coords: L.Coords, done: L.DoneCallback): HTMLElement {
    const tile = document.createElement('img');
    tile.alt = '';
    const ratio = Math.min(2, Math.ceil(window.devicePixelRatio || 1));
    const content = { kind: 'tile', z: coords.z, x: coords.x, y: coords.y, ratio };
    this.#requests.send(content, () => !('removed' in tile.dataset)).then(
      ({ buffers: [bytes] }) => {
        // A tile without points has no picture.
        if (!bytes) return done(undefined, tile);
        const url = urlOf(bytes);
        this.#urls.set(tile, url);
        tile.onload = () => done(undefined, tile);
        tile.onerror = () => done(new Error('the picture cannot be read'), tile);
        tile.src = url;
      },
      (error: Error) => done(error, tile),
    );
    return tile;
  }
}

/** Shows a text in the corner of the map, such as a value or an error. */
function note(map: L.Map): (text: string) => void {
  const box = document.createElement('div');
  box.className = 'kiln-note';
  box.setAttribute('role', 'status');
  box.hidden = true;
  map.getContainer().append(box);
  return (text) => {
    box.textContent = text;
    box.hidden = !text;
  };
}

function addLegend(map: L.Map, model: Model): () => void {
  const picture = document.createElement('img');
  picture.className = 'kiln-legend';
  const show = () => {
    const bytes = model.get<DataView | null>('legend');
    picture.hidden = !bytes?.byteLength;
    if (!bytes?.byteLength) return;
    if (picture.src) URL.revokeObjectURL(picture.src);
    picture.src = urlOf(bytes);
    picture.alt = `Legend: ${model.get<string>('unit')}`;
  };
  picture.onload = () => (picture.style.width = `${picture.naturalWidth / 2}px`);
  show();
  map.getContainer().append(picture);
  return show;
}

function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const style = document.createElement('style');
  style.textContent = leafletCss + css;
  const container = document.createElement('div');
  container.className = 'kiln-map';
  container.style.height = model.get<string>('height');
  el.append(style, container);

  const isPlane = model.get<boolean>('is_plane');
  const map = L.map(container, {
    crs: isPlane ? L.Util.extend({}, L.CRS.Simple, { transformation: new L.Transformation(1, 0, -1, 0) }) : L.CRS.EPSG3857,
    center: model.get<[number, number]>('center'),
    zoom: model.get<number>('zoom'),
    minZoom: model.get<number>('min_zoom'),
    maxZoom: model.get<number>('max_zoom'),
    worldCopyJump: !isPlane,
    attributionControl: true,
  });
  map.attributionControl.setPrefix('<a href="https://leafletjs.com">Leaflet</a>');
  L.control.scale({ imperial: false }).addTo(map);
  map.createPane('outlines').style.zIndex = '150';
  const basemap = model.get<string>('basemap');
  if (basemap) {
    const attribution = model.get<string>('attribution');
    L.tileLayer(basemap, { attribution, maxZoom: model.get<number>('max_zoom') }).addTo(map);
  } else if (!isPlane) {
    outlines().addTo(map);
  }

  const requests = new Requests(model);
  const say = note(map);
  const tiles = new Tiles(requests, { opacity: model.get<number>('opacity'), updateWhenZooming: false });
  tiles.on('tileerror', ({ error }: L.TileErrorEvent) => {
    if (error.message !== 'not needed') say(error.message);
  });
  tiles.addTo(map);
  const showLegend = addLegend(map, model);

  // The kernel draws the legend of the current zoom.
  const zoomed = () => {
    model.set('zoom', map.getZoom());
    const { lat, lng } = map.getCenter();
    model.set('center', [lat, lng]);
    model.save_changes();
  };
  map.on('moveend', zoomed);
  map.on('click', ({ latlng }: L.LeafletMouseEvent) => {
    const { lat, lng: lon } = latlng.wrap();
    const content = { kind: 'value', lon: isPlane ? latlng.lng : lon, lat, z: map.getZoom() };
    requests.send(content).then(
      ({ reply }) => say(String(reply['text'])),
      (error: Error) => say(error.message),
    );
  });

  const redraw = () => {
    say('');
    tiles.redraw();
  };
  const fade = () => tiles.setOpacity(model.get<number>('opacity'));
  const resize = () => {
    container.style.height = model.get<string>('height');
    map.invalidateSize();
  };
  model.on('change:version', redraw);
  model.on('change:opacity', fade);
  model.on('change:height', resize);
  model.on('change:legend', showLegend);
  // The size of the cell is known only once it is part of the page.
  const observer = new ResizeObserver(() => map.invalidateSize());
  observer.observe(container);
  return () => {
    observer.disconnect();
    model.off('change:version', redraw);
    model.off('change:opacity', fade);
    model.off('change:height', resize);
    model.off('change:legend', showLegend);
    requests.close();
    map.remove();
  };
}

export default { render };
