import type L from 'leaflet';
import { parametersOf, type HeatStyle } from 'kiln-leaflet';

import { BASE } from './catalog.js';
import { byId, make } from './dom.js';

const KINDS = ['Leaflet', 'MapLibre', 'OpenLayers', 'curl'] as const;
type Kind = (typeof KINDS)[number];

/** What is on the map, as code for elsewhere and as files. */
export class Take {
  private kind: Kind = 'Leaflet';
  private code: Record<Kind, string> = { Leaflet: '', MapLibre: '', OpenLayers: '', curl: '' };
  private readonly tabs = new Map<Kind, HTMLButtonElement>();

  constructor(private readonly map: L.Map) {
    for (const kind of KINDS) {
      const tab = make('button', 'tab', kind);
      tab.type = 'button';
      tab.setAttribute('role', 'tab');
      tab.setAttribute('aria-controls', 'snippet');
      tab.addEventListener('click', () => this.choose(kind));
      tab.addEventListener('keydown', ({ key }) => {
        const step = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0;
        if (!step) return;
        const next = KINDS[(KINDS.indexOf(kind) + step + KINDS.length) % KINDS.length]!;
        this.choose(next);
        this.tabs.get(next)?.focus();
      });
      this.tabs.set(kind, tab);
    }
    byId('tabs').replaceChildren(...this.tabs.values());
    byId('copy').addEventListener('click', () => void this.copy());
    this.choose('Leaflet');
  }

  /** Tells of another picture. */
  update(layer: string, style: HeatStyle): void {
    const told = `${BASE}/${layer}?${parametersOf(style)}`;
    const { lat, lng } = this.map.getCenter();
    const zoom = this.map.getZoom();
    const at = [lat.toFixed(4), lng.toFixed(4)] as const;
    const [png, tif] = [this.picture(layer, style, 'png'), this.picture(layer, style, 'tif')];
    this.code = {
      Leaflet: [
        `const map = L.map('map').setView([${at[0]}, ${at[1]}], ${zoom});`,
        `const told = await (await fetch('${told}')).json();`,
        'L.tileLayer(told.tiles[0], { maxNativeZoom: told.maxzoom, attribution: told.attribution }).addTo(map);',
      ].join('\n'),
      MapLibre: [
        'const map = new maplibregl.Map({',
        `  container: 'map', center: [${at[1]}, ${at[0]}], zoom: ${zoom - 1},`,
        '  style: {',
        '    version: 8,',
        `    sources: { heat: { type: 'raster', tileSize: 256, url: '${told}' } },`,
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
        `const source = new TileJSON({ url: '${told}', crossOrigin: 'anonymous' });`,
        'new Map({',
        "  target: 'map', layers: [new TileLayer({ source })],",
        `  view: new View({ center: fromLonLat([${at[1]}, ${at[0]}]), zoom: ${zoom} }),`,
        '});',
      ].join('\n'),
      curl: `curl -o ${layer}.png '${png}'`,
    };
    this.link('png', png, `${layer}.png`);
    this.link('tif', tif, `${layer}.tif`);
    this.choose(this.kind);
  }

  /** The address of what is on screen, as one file. */
  private picture(layer: string, style: HeatStyle, suffix: 'png' | 'tif'): string {
    const size = this.map.getSize();
    const world = 256 * 2 ** this.map.getZoom();
    const view = this.map.getPixelBounds();
    const clamp = (y: number) => Math.min(Math.max(y, 0), world);
    const width = Math.min(size.x, world);
    const left = (view.min!.x + view.max!.x - width) / 2;
    const [top, bottom] = [clamp(view.min!.y), clamp(view.max!.y)];
    const [low, high] = [this.map.unproject([left, bottom]), this.map.unproject([left + width, top])];
    // In the copy of the world around Greenwich.
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

  private choose(kind: Kind): void {
    this.kind = kind;
    for (const [each, tab] of this.tabs) {
      tab.setAttribute('aria-selected', String(each === kind));
      tab.tabIndex = each === kind ? 0 : -1;
    }
    byId('snippet').textContent = this.code[kind];
  }

  /** Copies the lines; where the browser allows no copying (plain HTTP), selects them for Ctrl+C. */
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
