import type L from 'leaflet';
import { parametersOf, type HeatStyle } from 'kiln-leaflet';

import { BASE, type Catalog, type LayerEntry } from '../catalog.js';
import { byId, escaped, make } from '../dom.js';
import type { CodeAccess } from './code-access.js';
import { KINDS, NO_KEY, type Kind, type View } from './view.js';

/** Code snippets and files of the current map. */
export class Snippets {
  private kind: Kind = 'Web page';
  private view: View | null = null;
  /** Returns the text of a snippet. Null: not loaded yet. */
  private textOf: typeof import('./texts.js')['textOf'] | null = null;
  /** What the code sends to a server with keys. Null: nothing, or not loaded yet. */
  private access: CodeAccess | null = null;
  private readonly tabs = new Map<Kind, HTMLButtonElement>();

  constructor(private readonly map: L.Map, private readonly catalog: Catalog) {
    for (const kind of KINDS) {
      const tab = make('button', 'tab', kind);
      tab.type = 'button';
      tab.setAttribute('role', 'tab');
      tab.setAttribute('aria-controls', 'snippet');
      tab.addEventListener('click', () => this.select(kind));
      tab.addEventListener('keydown', ({ key }) => {
        const step = key === 'ArrowRight' ? 1 : key === 'ArrowLeft' ? -1 : 0;
        if (!step) return;
        const next = KINDS[(KINDS.indexOf(kind) + step + KINDS.length) % KINDS.length]!;
        this.select(next);
        this.tabs.get(next)?.focus();
      });
      this.tabs.set(kind, tab);
    }
    byId('tabs').replaceChildren(...this.tabs.values());
    byId('copy').addEventListener('click', () => void this.copy());
    byId('take').addEventListener('toggle', () => void this.load());
    byId('save-page').addEventListener('click', () => this.save());
    this.select(this.kind);
  }

  /** Updates the snippets and links to the current view. */
  update(layer: string, entry: LayerEntry | undefined, style: HeatStyle): void {
    const { lat, lng } = this.map.getCenter();
    const query = String(parametersOf(style));
    const [bounds, size] = this.frame();
    const ratio = devicePixelRatio > 1 ? '@2x' : '';
    const picture = `${BASE}/${layer}/bbox/${bounds}/${size}${ratio}.png?${query}`;
    const { page } = this.catalog;
    const basemap = page?.basemap ? { url: page.basemap, attribution: page.attribution ?? '' } : null;
    this.view = {
      base: BASE,
      layer,
      title: entry?.title ?? layer,
      attribution: escaped(entry?.attribution ?? ''),
      query,
      zoom: this.map.getZoom(),
      lat: lat.toFixed(4),
      lng: lng.toFixed(4),
      picture,
      legend: `${BASE}/${layer}/legend.png?bounds=${bounds}&size=${size}&${query}`,
      basemap,
      key: this.access?.keyFor(layer) ?? NO_KEY,
    };
    this.link('png', picture, `${layer}.png`);
    this.link('tif', `${BASE}/${layer}/bbox/${bounds}/${size}.tif?${query}`, `${layer}.tif`);
    this.select(this.kind);
  }

  /** Returns the bounds of the view, at most those of the world, and its size in pixels. */
  private frame(): [bounds: string, size: string] {
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
    return [edges.join(','), `${Math.round(width)}x${Math.max(1, Math.round(bottom - top))}`];
  }

  private link(id: string, url: string, name: string): void {
    const link = byId<HTMLAnchorElement>(id);
    link.href = url;
    link.download = name;
  }

  /** The snippet of the selected tab. */
  private get code(): string {
    return (this.view && this.textOf?.(this.kind, this.view)) ?? '';
  }

  /** Loads the texts on demand: few visitors need them. */
  private async load(): Promise<void> {
    if (this.textOf) return;
    try {
      const { textOf, CodeAccess } = await import('./texts.js');
      const { access } = this.catalog;
      this.textOf = textOf;
      if (access && access.key !== 'anonymous') this.access = new CodeAccess(access, byId('tabs'), () => this.refresh());
      this.refresh();
    } catch (error) {
      byId('snippet').textContent = `The code failed to load: ${(error as Error).message}`;
    }
  }

  /** Saves the snippet, a complete page, as a file. */
  private save(): void {
    const link = document.createElement('a');
    link.href = URL.createObjectURL(new Blob([this.code], { type: 'text/html' }));
    link.download = `${this.view?.layer ?? 'map'}.html`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  }

  /** Writes the code again, with the key that is chosen. */
  private refresh(): void {
    if (this.view) this.view.key = this.access?.keyFor(this.view.layer) ?? NO_KEY;
    this.select(this.kind);
  }

  private select(kind: Kind): void {
    this.kind = kind;
    for (const [each, tab] of this.tabs) {
      tab.setAttribute('aria-selected', String(each === kind));
      tab.tabIndex = each === kind ? 0 : -1;
    }
    byId('snippet').textContent = this.code;
    byId('save-page').hidden = !this.code.startsWith('<!doctype html>');
  }

  /** Copies the snippet. Without clipboard access (plain HTTP), selects it for Ctrl+C. */
  private async copy(): Promise<void> {
    const done = (text: string) => {
      byId('copy').textContent = text;
      setTimeout(() => (byId('copy').textContent = 'Copy'), 2000);
    };
    try {
      await navigator.clipboard.writeText(this.code);
      done('Copied');
    } catch {
      getSelection()?.selectAllChildren(byId('snippet'));
      done('Selected: press Ctrl+C');
    }
  }
}
