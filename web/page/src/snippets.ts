import type L from 'leaflet';
import { parametersOf, type HeatStyle } from 'kiln-leaflet';

import { BASE } from './catalog.js';
import { byId, make } from './dom.js';

const LIBRARIES = ['Leaflet', 'MapLibre', 'OpenLayers', 'curl'] as const;
type Kind = (typeof LIBRARIES)[number];

/** Code snippets and files of the current map. */
export class Snippets {
  private kind: Kind = 'Leaflet';
  private code: Record<Kind, string> = { Leaflet: '', MapLibre: '', OpenLayers: '', curl: '' };
  private readonly tabs = new Map<Kind, HTMLButtonElement>();

  constructor(private readonly map: L.Map) {
    for (const kind of LIBRARIES) {
      const tab = make('button', 'tab', kind);
      tab.type = 'button';
      tab.setAttribute('role', 'tab');
      tab.setAttribute('aria-controls', 'snippet');
      tab.addEventListener('click', () => this.select(kind));
      tab.addEventListener('keydown', ({ key }) => {
        const step = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0;
        if (!step) return;
        const next = LIBRARIES[(LIBRARIES.indexOf(kind) + step + LIBRARIES.length) % LIBRARIES.length]!;
        this.select(next);
        this.tabs.get(next)?.focus();
      });
      this.tabs.set(kind, tab);
    }
    byId('tabs').replaceChildren(...this.tabs.values());
    byId('copy').addEventListener('click', () => void this.copy());
    this.select('Leaflet');
  }

  /** Updates the snippets and links to the current view. */
  update(layer: string, style: HeatStyle): void {
    const url = `${BASE}/${layer}?${parametersOf(style)}`;
    const { lat, lng } = this.map.getCenter();
    const zoom = this.map.getZoom();
    const center = [lat.toFixed(4), lng.toFixed(4)] as const;
    const [png, tif] = [this.picture(layer, style, 'png'), this.picture(layer, style, 'tif')];
    this.code = {
      Leaflet: [
        `const map = L.map('map').setView([${center[0]}, ${center[1]}], ${zoom});`,
        `const tileJson = await (await fetch('${url}')).json();`,
        'L.tileLayer(tileJson.tiles[0], { maxNativeZoom: tileJson.maxzoom, attribution: tileJson.attribution }).addTo(map);',
      ].join('\n'),
      MapLibre: [
        'const map = new maplibregl.Map({',
        `  container: 'map', center: [${center[1]}, ${center[0]}], zoom: ${zoom - 1},`,
        '  style: {',
        '    version: 8,',
        `    sources: { heat: { type: 'raster', tileSize: 256, url: '${url}' } },`,
        "    layers: [{ id: 'heat', type: 'raster', source: 'heat' }],",
        '  },',
        '});',
      ].join('\n'),
      OpenLayers: [
        "import { Map, View } from 'ol';",
        "import TileLayer from 'ol/layer/Tile.js';",
        "import TileJSON from 'ol/source/TileJSON.js';",
        "import { fromLonLat } from 'ol/proj.js';",
        '',
        `const source = new TileJSON({ url: '${url}', crossOrigin: 'anonymous' });`,
        'new Map({',
        "  target: 'map', layers: [new TileLayer({ source })],",
        `  view: new View({ center: fromLonLat([${center[1]}, ${center[0]}]), zoom: ${zoom} }),`,
        '});',
      ].join('\n'),
      curl: `curl -o ${layer}.png '${png}'`,
    };
    this.link('png', png, `${layer}.png`);
    this.link('tif', tif, `${layer}.tif`);
    this.select(this.kind);
  }

  /** Returns the URL of the view as one picture. */
  private picture(layer: string, style: HeatStyle, suffix: 'png' | 'tif'): string {
    const size = this.map.getSize();
    const world = 256 * 2 ** this.map.getZoom();
    const view = this.map.getPixelBounds();
    const clamp = (y: number) => Math.min(Math.max(y, 0), world);
    const width = Math.min(size.x, world);
    const left = (view.min!.x + view.max!.x - width) / 2;
    const [top, bottom] = [clamp(view.min!.y), clamp(view.max!.y)];
    const [low, high] = [this.map.unproject([left, bottom]), this.map.unproject([left + width, top])];
    // In the copy of the world between -180° and 180°.
    const turn = 360 * Math.floor((low.lng + 180) / 360);
    const edges = [low.lng - turn, low.lat, high.lng - turn, high.lat].map((edge) => Number(edge.toFixed(6)));
    const ratio = suffix === 'png' && devicePixelRatio > 1 ? '@2x' : '';
    const pixels = `${Math.round(width)}x${Math.max(1, Math.round(bottom - top))}${ratio}.${suffix}`;
    return `${BASE}/${layer}/bbox/${edges.join(',')}/${pixels}?${parametersOf(style)}`;
  }

  private link(id: string, url: string, name: string): void {
    const link = byId<HTMLAnchorElement>(id);
    link.href = url;
    link.download = name;
  }

  private select(kind: Kind): void {
    this.kind = kind;
    for (const [each, tab] of this.tabs) {
      tab.setAttribute('aria-selected', String(each === kind));
      tab.tabIndex = each === kind ? 0 : -1;
    }
    byId('snippet').textContent = this.code[kind];
  }

  /** Copies the snippet. Without clipboard access (plain HTTP), selects it for Ctrl+C. */
  private async copy(): Promise<void> {
    const done = (text: string) => {
      byId('copy').textContent = text;
      setTimeout(() => (byId('copy').textContent = 'Copy'), 2000);
    };
    try {
      await navigator.clipboard.writeText(this.code[this.kind]);
      done('Copied');
    } catch {
      getSelection()?.selectAllChildren(byId('snippet'));
      done('Selected: press Ctrl+C');
    }
  }
}
