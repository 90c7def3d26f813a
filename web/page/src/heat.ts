import L from 'leaflet';
import { KilnOverlay, KilnTileLayer, legendOf, type HeatLayer, type HeatStyle, type Legend } from 'kiln-leaflet';

import { BASE, type Catalog } from './catalog.js';
import { points, say } from './dom.js';
import { Points } from './points.js';
import { styleOf, type State } from './state.js';

/** The heat of a state on a map: by tiles, as one picture, or beyond a zoom by the points themselves. */
export class Heat {
  /** What is drawn by the server. */
  source: HeatLayer;
  private mode: State['mode'] | null = null;
  private asked = '';
  private turn = 0;
  private points: Points | null;
  /** What colors mean for all times, by layer, style and zoom. */
  private readonly spans = new Map<string, Promise<[number, number] | null>>();
  private shown: () => void = () => undefined;

  constructor(
    private readonly map: L.Map,
    private readonly catalog: Catalog,
    private state: State,
    /** Where it is drawn. */
    private readonly pane: string,
    /** Whether it tells how it goes, and hands over to the browser. */
    private readonly leads: boolean,
  ) {
    this.points = leads ? new Points(map) : null;
    this.source = this.make();
    this.mode = state.mode;
    this.asked = JSON.stringify([state.layer, styleOf(state, catalog)]);
  }

  /** The layers beneath have changed: `then` is called with what the server draws now. */
  onSource: (source: HeatLayer) => void = () => undefined;

  /** Calls `then` when what was asked for last is on the map. */
  whenShown(then: () => void): void {
    this.shown = then;
  }

  /** Shows a state. */
  async show(state: State): Promise<void> {
    this.state = state;
    const turn = ++this.turn;
    const style = await this.settled(state).catch((error: Error) => void say(error.message, true));
    if (!style || turn !== this.turn) return;
    const asked = JSON.stringify([state.layer, style]);
    if (asked !== this.asked && this.leads) document.getElementById('map')?.setAttribute('aria-busy', 'true');
    if (state.mode !== this.mode) {
      this.source.remove();
      this.source = this.make(style);
      this.mode = state.mode;
      this.source.addTo(this.map);
      this.onSource(this.source);
    } else if (asked !== this.asked) {
      this.source.setStyle(style, state.layer);
    }
    if (!this.map.hasLayer(this.source)) this.source.addTo(this.map);
    this.asked = asked;
    await this.handOver();
  }

  /** The zoom is another, or the map has moved. */
  async moved(): Promise<void> {
    // The times share what the colors mean at a zoom.
    if (this.state.time && !this.state.span) await this.show(this.state);
    else await this.handOver();
  }

  remove(): void {
    this.turn++;
    this.source.remove();
    this.points?.remove();
  }

  /** Whether the browser draws the points itself. */
  get isHandedOver(): boolean {
    return this.points?.shown ?? false;
  }

  private make(style: HeatStyle = styleOf(this.state, this.catalog)): HeatLayer {
    const { layer, mode } = this.state;
    const made =
      mode === 'tiles'
        ? new KilnTileLayer(BASE, layer, style, { pane: this.pane, className: 'heat', updateWhenIdle: false, keepBuffer: 3 })
        : new KilnOverlay(BASE, layer, style, { pane: this.pane, className: 'heat' });
    made.on('load', () => {
      if (this.leads) {
        document.getElementById('map')?.setAttribute('aria-busy', 'false');
        if (!this.isHandedOver) this.tell();
      }
      this.shown();
    });
    made.on('tileerror', () => say('Some tiles cannot be loaded.', true));
    made.on('error', (event) => {
      document.getElementById('map')?.setAttribute('aria-busy', 'false');
      say((event as unknown as { error: Error }).error.message, true);
      this.shown();
    });
    return made;
  }

  private tell(text = ''): void {
    const layer = this.catalog.layers.find(({ name }) => name === this.state.layer);
    if (!layer) return;
    const isPart = this.state.time !== null || this.state.categories.length > 0;
    const all = `${isPart ? 'Part of ' : ''}${points(layer.points)}`;
    say(text || `${all}, drawn as ${this.state.mode === 'tiles' ? 'tiles' : 'one picture'}`);
  }

  /** The style with the span that all times share. */
  private async settled(state: State): Promise<HeatStyle> {
    const style = styleOf(state, this.catalog);
    if (!state.time || state.span) return style;
    const { start: _start, end: _end, opacity: _opacity, ...always } = style;
    const key = JSON.stringify([state.layer, always, this.map.getZoom()]);
    let span = this.spans.get(key);
    if (!span) {
      span = legendOf(BASE, state.layer, always, this.map.getZoom()).then(({ span }) => (span ? [span.vmin, span.vmax] : null));
      this.spans.set(key, span);
      span.catch(() => this.spans.delete(key));
    }
    const found = await span;
    return found ? { ...style, vmin: found[0], vmax: found[1] } : style;
  }

  /** Draws by points if the map is that near and they are not too many, else by what the server draws. */
  private async handOver(): Promise<void> {
    if (!this.points) return;
    const { handover, beyond, before, layer } = this.state;
    const zoom = this.map.getZoom();
    if (!handover || before !== null || zoom <= beyond) {
      const was = this.isHandedOver;
      this.points.remove();
      this.dim(false);
      if (was) this.tell();
      return;
    }
    const turn = this.turn;
    const style = this.source.heatStyle();
    try {
      const [legend, told] = await Promise.all([this.legendAt(zoom, style), this.told()]);
      if (turn !== this.turn || zoom !== this.map.getZoom()) return;
      const count = await this.points.draw(layer, style, legend, told);
      if (zoom !== this.map.getZoom() || turn !== this.turn) return;
      this.dim(this.isHandedOver);
      if (count === null && !this.isHandedOver) this.tell();
      else if (count !== null && count >= 0) this.tell(`${points(count)} drawn by the browser`);
    } catch (error) {
      if ((error as Error).name === 'AbortError') return;
      // The server's picture is there all the same.
      this.points.remove();
      this.dim(false);
      say((error as Error).message, true);
    }
  }

  private legendAt(zoom: number, { opacity: _, ...style }: HeatStyle): Promise<Legend> {
    return legendOf(BASE, this.state.layer, style, zoom);
  }

  /** What the server tells of the tiles, once it has. */
  private async told() {
    const known = this.source.tileJson();
    if (known) return known;
    await new Promise((done) => this.source.once('tilejson load error', done));
    const told = this.source.tileJson();
    if (!told) throw new Error('The server tells nothing of the tiles.');
    return told;
  }

  /** Hides what the server draws, as the browser draws the same. */
  private dim(away: boolean): void {
    const pane = this.map.getPane(this.pane);
    if (pane) pane.style.visibility = away ? 'hidden' : '';
  }
}
