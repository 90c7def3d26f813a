import L from 'leaflet';
import { KilnOverlay, KilnTileLayer, legendOf, type HeatLayer, type HeatStyle, type Legend, type TileJson } from 'kiln-leaflet';

import { BASE, type Catalog } from './catalog.js';
import { emptySentence } from './damage.js';
import { points, showStatus } from './dom.js';
import type { Failure, Failures } from './failures.js';
import { Points } from './points.js';
import { styleOf, type State } from './state.js';
import { TileFailures } from './tile-failures.js';
import { hasParts } from './time-parts.js';

/** The heat map of a state: rendered by the server as tiles or one picture, or, above a zoom level, drawn by the browser. */
export class Heat {
  /** The layer rendered by the server. */
  source: HeatLayer;
  private mode: State['mode'] | null = null;
  private requested = '';
  private generation = 0;
  private points: Points | null;
  /** The number of points in the view that the browser has drawn. */
  private drawn = 0;
  /** Value ranges over the full time range, keyed by layer, style and zoom. */
  private readonly spans = new Map<string, Promise<[number, number] | null>>();
  private shown: () => void = () => undefined;
  private readonly tileFailures: TileFailures;

  constructor(
    private readonly map: L.Map,
    private readonly catalog: Catalog,
    private state: State,
    /** The pane of the map. */
    private readonly pane: string,
    /** Whether this heat map reports its status, and may be drawn by the browser. */
    private readonly isPrimary: boolean,
    private readonly failures: Failures,
  ) {
    this.points = isPrimary ? new Points(map) : null;
    this.tileFailures = new TileFailures(() => (this.source instanceof KilnTileLayer ? this.source : null), failures, pane, () => this.reportStatus());
    this.source = this.make();
    this.mode = state.mode;
    this.requested = JSON.stringify([state.layer, styleOf(state, catalog)]);
  }

  /** Called with the new layer after the rendering mode has changed. */
  onSource: (source: HeatLayer) => void = () => undefined;

  /** Called with the version of a layer that a response reports. */
  onVersion: (layer: string, version: string) => void = () => undefined;

  /** Calls `then` whenever the requested picture is on the map. */
  whenShown(then: () => void): void {
    this.shown = then;
  }

  /** Updates the heat map to a state. */
  async show(state: State): Promise<void> {
    this.state = state;
    const generation = ++this.generation;
    const style = await this.withSharedSpan(state).catch((error: Error) => {
      if (generation === this.generation) this.failed(error, () => this.show(this.state), `${this.pane}-scale`);
    });
    if (style) this.failures.clear(`${this.pane}-scale`);
    if (!style || generation !== this.generation) return;
    const requested = JSON.stringify([state.layer, style]);
    if (requested !== this.requested && this.isPrimary) document.getElementById('map')?.setAttribute('aria-busy', 'true');
    if (state.mode !== this.mode) {
      this.source.remove();
      this.source = this.make(style);
      this.mode = state.mode;
      this.source.addTo(this.map);
      this.onSource(this.source);
    } else if (requested !== this.requested) {
      this.source.setStyle(style, state.layer);
    }
    if (!this.map.hasLayer(this.source)) this.source.addTo(this.map);
    this.requested = requested;
    await this.handOver();
  }

  /** Updates the heat map after the map has moved or zoomed. */
  async moved(): Promise<void> {
    // While a time range is selected, the colors use the value range of all times, which depends on the zoom.
    if (this.state.time && !this.state.span) await this.show(this.state);
    else await this.handOver();
  }

  remove(): void {
    this.generation++;
    for (const source of [this.pane, `${this.pane}-scale`]) this.failures.clear(source);
    this.source.remove();
    this.points?.remove();
  }

  /** Whether the browser draws the points. */
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
      // Leaflet fires it even if all tiles have failed.
      if (made.isComplete()) this.failures.clear(this.pane);
      if (this.isPrimary) {
        document.getElementById('map')?.setAttribute('aria-busy', 'false');
        this.reportStatus();
      }
      this.shown();
    });
    made.on('tilejson', (event) => this.onVersion(layer, (event as unknown as { tileJson: TileJson }).tileJson.kiln.version));
    made.on('tileerror', this.tileFailures.report);
    made.on('error', (event) => this.failed((event as unknown as { error: Error }).error, () => made.retry()));
    return made;
  }

  /** Reports that no picture of the state can be shown. The old one stays on the map. */
  private failed({ message }: Error, retry: Failure['retry'], source = this.pane): void {
    document.getElementById('map')?.setAttribute('aria-busy', 'false');
    this.failures.set(source, { title: 'The heat map failed to load', reason: message, retry });
    this.reportStatus();
    this.shown();
  }

  /** Writes what is shown, or what is missing, to the status line. */
  reportStatus(): void {
    if (!this.isPrimary) return;
    const { first } = this.failures;
    if (first) return showStatus(`Incomplete: ${first.reason || first.title}`, true);
    const layer = this.catalog.layers.find(({ name }) => name === this.state.layer);
    if (!layer) return;
    if (!layer.points) return showStatus(emptySentence(layer));
    const isPart = this.state.time !== null || this.state.categories.length > 0 || hasParts(this.state);
    const all = `${isPart ? 'Part of ' : ''}${points(layer.points)}`;
    const kind = this.state.mode === 'tiles' ? 'tiles' : 'one picture';
    showStatus(this.isHandedOver ? `${points(this.drawn)} of this view drawn by the browser` : `${all}, rendered as ${kind}`);
  }

  /** Returns the style with the value range of all times. */
  private async withSharedSpan(state: State): Promise<HeatStyle> {
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

  /** Draws the points in the browser if the zoom is high enough and they are few enough; otherwise shows the layer of the server. */
  private async handOver(): Promise<void> {
    if (!this.points) return;
    const { handover, beyond, before, layer } = this.state;
    const zoom = this.map.getZoom();
    const entry = this.catalog.layers.find(({ name }) => name === layer);
    // Bins have no points that the browser could draw.
    if (!handover || before !== null || zoom <= beyond || entry?.bins) {
      const was = this.isHandedOver;
      this.points.remove();
      this.fade(false);
      if (was) this.reportStatus();
      return;
    }
    const generation = this.generation;
    const style: HeatStyle = { ...entry?.style, ...this.source.heatStyle() };
    try {
      const legend = await this.legendAt(zoom, this.source.heatStyle());
      if (generation !== this.generation || zoom !== this.map.getZoom()) return;
      const count = await this.points.draw(layer, style, legend);
      if (zoom !== this.map.getZoom() || generation !== this.generation) return;
      this.fade(this.isHandedOver);
      if (count !== null && count >= 0) this.drawn = count;
      this.reportStatus();
    } catch (error) {
      if ((error as Error).name === 'AbortError') return;
      // The layer of the server stays visible.
      this.points.remove();
      this.fade(false);
      showStatus((error as Error).message, true);
    }
  }

  /** The legend of the tiles at a zoom. On a high-density screen these have the scale of the next zoom, with twice the radius. */
  private legendAt(zoom: number, { opacity: _, ...style }: HeatStyle): Promise<Legend> {
    if (devicePixelRatio <= 1) return legendOf(BASE, this.state.layer, style, zoom);
    const radius = typeof style.radius === 'number' ? { radius: 2 * style.radius } : {};
    return legendOf(BASE, this.state.layer, { ...style, ...radius }, zoom + 1);
  }

  /** Lets the layer of the server fade out or in. */
  private fade(isOut: boolean): void {
    const pane = this.map.getPane(this.pane);
    if (pane) pane.style.opacity = isOut ? '0' : '';
  }
}
