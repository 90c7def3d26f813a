import { makeHeatmapLayer } from './heatmap-layer.js';
import type { HeatmapLayerConstructor } from './types.js';

/** The parts of `google.maps` that the installation touches. */
interface Maps {
  version?: string;
  visualization?: { HeatmapLayer?: unknown };
  importLibrary?: (name: string, ...rest: unknown[]) => Promise<unknown>;
  MVCObject?: unknown;
}

/** The first version of the Maps API whose `HeatmapLayer` throws an error. */
const REMOVED = 3.65;

let made: HeatmapLayerConstructor | null = null;

/** Returns the class. Throws an error before the Maps API has loaded. */
export function heatmapLayer(): HeatmapLayerConstructor {
  if (!made && !isLoaded()) throw new Error('kiln-google: the Maps JavaScript API has not loaded; create a HeatmapLayer in its callback, or after `await google.maps.importLibrary("maps")`');
  return (made ??= makeHeatmapLayer());
}

const maps = (): Maps | undefined => (globalThis as { google?: { maps?: Maps } }).google?.maps;
const isLoaded = () => typeof maps()?.MVCObject === 'function';

/** Whether a class is the layer of Google, in a version that still draws. */
function draws(layer: unknown): boolean {
  const { version } = maps() ?? {};
  if (version && parseFloat(version) >= REMOVED) return false;
  return typeof layer === 'function' && typeof (layer.prototype as { setData?: unknown } | undefined)?.setData === 'function';
}

/**
 * Defines `google.maps.visualization.HeatmapLayer` where it is missing or throws, also in the library that
 * `google.maps.importLibrary('visualization')` returns. May be called before the Maps API loads. A layer of Google that works stays.
 */
export function install(): void {
  const root = globalThis as unknown as { google?: { maps?: Maps } };
  root.google ??= {};
  intercept(root.google, 'maps', (value: Maps | undefined) => {
    if (value) prepare(value);
    return value;
  });
  root.google.maps ??= {};
  prepare(root.google.maps);
}

/** Installs the layer again with each script that loads: one of the Maps API may have defined the properties anew. */
export function watchScripts(): void {
  globalThis.document?.addEventListener('load', ({ target }) => target instanceof HTMLScriptElement && install(), true);
}

/** Makes the properties of `google.maps` return the layer, once they are set. */
function prepare(target: Maps): void {
  intercept(target, 'visualization', (value: Maps['visualization']) => {
    // A page that does not load the library has a place for the class, too.
    const found = value ?? library;
    define(found);
    return found;
  });
  intercept(target, 'importLibrary', (load: Maps['importLibrary']) => load && withLayer(load));
}

/** The library `visualization` of a page that does not load it. */
const library = {};

const wrapped = new WeakMap<object, NonNullable<Maps['importLibrary']>>();

/** `importLibrary`, with the layer in the library `visualization`. */
function withLayer(load: NonNullable<Maps['importLibrary']>): NonNullable<Maps['importLibrary']> {
  const known = wrapped.get(load);
  if (known) return known;
  const replaced = async (name: string, ...rest: unknown[]): Promise<unknown> => {
    if (name !== 'visualization') return load.call(maps(), name, ...rest);
    // A later version of the API may lack the library.
    const library = (await Promise.resolve(load.call(maps(), name, ...rest)).catch(() => ({}))) as { HeatmapLayer?: unknown };
    if (!isLoaded()) await load.call(maps(), 'maps');
    return draws(library.HeatmapLayer) ? library : { ...library, HeatmapLayer: heatmapLayer() };
  };
  wrapped.set(load, replaced);
  wrapped.set(replaced, replaced);
  return replaced;
}

/** Gives a library the class, which is made when it is first read. */
function define(library: { HeatmapLayer?: unknown }): void {
  intercept(library, 'HeatmapLayer', (value) => (draws(value) || !isLoaded() ? value : heatmapLayer()));
}

/** The getters of properties that are intercepted. */
const getters = new WeakSet<() => unknown>();

/** Makes a property return `change` of the value that it has or gets later. */
function intercept<T extends object, K extends keyof T>(target: T, name: K, change: (value: T[K]) => T[K]): void {
  const found = Object.getOwnPropertyDescriptor(target, name);
  if (found && (!found.configurable || (found.get && getters.has(found.get)))) return;
  let value = target[name];
  const get = (): T[K] => change(value);
  getters.add(get);
  Object.defineProperty(target, name, { configurable: true, enumerable: true, get, set: (next: T[K]) => (value = next) });
}
