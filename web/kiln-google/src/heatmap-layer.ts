import { isServerLayer, type ServerLayer } from '../../kiln-client/src/server-layer.js';
import { Points } from '../../kiln-client/src/canvas/points.js';
import { CanvasView } from './canvas-view.js';
import { addPoint } from './data.js';
import { check, OPACITY, RADIUS } from './options.js';
import { TileView } from './tile-view.js';
import type { HeatmapData, HeatmapLayer, HeatmapLayerConstructor, HeatmapLayerOptions, HeatmapPoint } from './types.js';
import type { View, ViewOptions } from './view.js';

/** The options apart from the data and the map. */
const STYLE = ['dissipating', 'gradient', 'maxIntensity', 'opacity', 'radius'] as const;

/** Makes the class, once the Maps API has loaded: it extends `google.maps.MVCObject`. */
export function makeHeatmapLayer(): HeatmapLayerConstructor {
  return class extends google.maps.MVCObject implements HeatmapLayer {
    private view: View | null = null;
    private points = new Points();
    private source: ServerLayer | null = null;
    private listeners: google.maps.MapsEventListener[] = [];

    constructor(options: HeatmapLayerOptions = {}) {
      super();
      this.setOptions(options);
    }

    getData(): google.maps.MVCArray<HeatmapPoint> | ServerLayer | null {
      return this.get('data') ?? null;
    }

    setData(data: HeatmapData | null): void {
      this.set('data', Array.isArray(data) ? new google.maps.MVCArray(data) : data);
    }

    getMap(): google.maps.Map | null {
      return this.get('map') ?? null;
    }

    setMap(map: google.maps.Map | null): void {
      this.set('map', map);
    }

    getDissipating(): boolean {
      return this.get('dissipating') ?? true;
    }

    setDissipating(dissipating: boolean | null): void {
      this.set('dissipating', dissipating);
    }

    getGradient(): string[] | null {
      return this.get('gradient') ?? null;
    }

    setGradient(gradient: string[] | null): void {
      this.set('gradient', gradient);
    }

    getMaxIntensity(): number | null {
      return this.get('maxIntensity') ?? null;
    }

    setMaxIntensity(maxIntensity: number | null): void {
      this.set('maxIntensity', maxIntensity);
    }

    getOpacity(): number {
      return this.get('opacity') ?? OPACITY;
    }

    setOpacity(opacity: number | null): void {
      this.set('opacity', opacity);
    }

    getRadius(): number {
      return this.get('radius') ?? RADIUS;
    }

    setRadius(radius: number | null): void {
      this.set('radius', radius);
    }

    setOptions(options: HeatmapLayerOptions): void {
      const { data, map, ...style } = options ?? {};
      for (const name of STYLE) check(name, style[name]);
      this.setValues(style);
      if (data !== undefined) this.setData(data);
      if (map !== undefined) this.setMap(map);
    }

    // The names that `MVCObject` calls when a property changes, whether by a method, by `set` or by `bindTo`.

    protected data_changed(): void {
      const data = this.get('data') as HeatmapData | null | undefined;
      if (Array.isArray(data)) return this.setData(data);
      for (const listener of this.listeners) listener.remove();
      this.listeners = [];
      this.source = isServerLayer(data) ? data : null;
      this.points = new Points();
      if (data && !isServerLayer(data)) {
        this.read(data);
        this.listen(data);
      }
      this.start();
    }

    protected map_changed(): void {
      this.start();
    }

    protected dissipating_changed(): void {
      this.view?.changed('dissipating');
    }

    protected gradient_changed(): void {
      check('gradient', this.get('gradient'));
      this.view?.changed('gradient');
    }

    protected maxIntensity_changed(): void {
      check('maxIntensity', this.get('maxIntensity'));
      this.view?.changed('maxIntensity');
    }

    protected opacity_changed(): void {
      check('opacity', this.get('opacity'));
      this.view?.changed('opacity');
    }

    protected radius_changed(): void {
      check('radius', this.get('radius'));
      this.view?.changed('radius');
    }

    /** Shows the data on the map, in place of the previous data and map. */
    private start(): void {
      this.view?.remove();
      this.view = null;
      const map = this.getMap();
      if (!map) return;
      if (this.source) this.view = new TileView(map, this.source, () => this.style(), (error) => this.fail(error));
      else if (this.getData()) this.view = new CanvasView(map, this.points, () => this.style());
    }

    private style(): ViewOptions {
      return { radius: this.get('radius') ?? null, dissipating: this.getDissipating(), gradient: this.getGradient(), maxIntensity: this.getMaxIntensity(), opacity: this.getOpacity() };
    }

    /** Reports a failed request: as an event `error`, and on the console. */
    private fail(error: Error): void {
      console.error(`HeatmapLayer: ${error.message}`);
      google.maps.event.trigger(this, 'error', error);
    }

    private read(data: google.maps.MVCArray<HeatmapPoint>): void {
      this.points.clear();
      data.forEach((point, i) => addPoint(this.points, point, i));
    }

    /** Follows the changes of the array. A point that is appended does not need the others again. */
    private listen(data: google.maps.MVCArray<HeatmapPoint>): void {
      const again = (): void => {
        this.read(data);
        this.view?.changed('data');
      };
      const inserted = (index: number): void => {
        if (index !== data.getLength() - 1 || this.points.length !== index) return again();
        addPoint(this.points, data.getAt(index), index);
        this.view?.changed('data');
      };
      this.listeners = [data.addListener('insert_at', inserted), data.addListener('remove_at', again), data.addListener('set_at', again)];
    }
  };
}
