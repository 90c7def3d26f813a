// A stand-in for the Maps JavaScript API 3.65, which needs a key and a connection: objects with properties and events, a map that is
// moved by its methods, overlays, and image map types, whose `getTileUrl` is called for the tiles of the view as by the API, also
// beyond the world. As in the API since that version, `new google.maps.visualization.HeatmapLayer()` throws an error.
(() => {
  const WORLD = 256;
  const invalid = (text) => new Error(`InvalidValueError: ${text}`);

  const listeners = new WeakMap();
  const event = {
    addListener(instance, name, handler) {
      const all = listeners.get(instance) ?? listeners.set(instance, []).get(instance);
      const entry = { name, handler };
      all.push(entry);
      return { remove: () => all.includes(entry) && all.splice(all.indexOf(entry), 1) };
    },
    addListenerOnce(instance, name, handler) {
      const listener = event.addListener(instance, name, (...values) => {
        listener.remove();
        handler.apply(instance, values);
      });
      return listener;
    },
    removeListener: (listener) => listener.remove(),
    clearInstanceListeners: (instance) => listeners.delete(instance),
    trigger(instance, name, ...values) {
      for (const entry of [...(listeners.get(instance) ?? [])]) if (entry.name === name) entry.handler.apply(instance, values);
    },
  };

  const capital = (name) => name[0].toUpperCase() + name.slice(1);
  const fields = new WeakMap();
  const bindings = new WeakMap();
  const of = (map, object, make) => map.get(object) ?? map.set(object, make()).get(object);

  class MVCObject {
    get(name) {
      const bound = bindings.get(this)?.get(name);
      if (!bound) return fields.get(this)?.[name];
      const getter = `get${capital(bound.name)}`;
      return bound.target[getter] ? bound.target[getter]() : bound.target.get(bound.name);
    }

    set(name, value) {
      const bound = bindings.get(this)?.get(name);
      if (bound) {
        const setter = `set${capital(bound.name)}`;
        if (bound.target[setter]) bound.target[setter](value);
        else bound.target.set(bound.name, value);
        return;
      }
      of(fields, this, () => ({}))[name] = value;
      this.notify(name);
    }

    setValues(values) {
      for (const [name, value] of Object.entries(values ?? {})) {
        const setter = `set${capital(name)}`;
        if (this[setter]) this[setter](value);
        else this.set(name, value);
      }
    }

    notify(name) {
      this[`${name}_changed`]?.();
      event.trigger(this, `${name.toLowerCase()}_changed`);
    }

    bindTo(name, target, targetName = name, noNotify = false) {
      this.unbind(name);
      const listener = event.addListener(target, `${targetName.toLowerCase()}_changed`, () => this.notify(name));
      of(bindings, this, () => new Map()).set(name, { target, name: targetName, listener });
      if (!noNotify) this.notify(name);
    }

    unbind(name) {
      const bound = bindings.get(this)?.get(name);
      if (!bound) return;
      const value = this.get(name);
      bound.listener.remove();
      bindings.get(this).delete(name);
      of(fields, this, () => ({}))[name] = value;
    }

    unbindAll() {
      for (const name of [...(bindings.get(this)?.keys() ?? [])]) this.unbind(name);
    }

    addListener(name, handler) {
      return event.addListener(this, name, handler);
    }
  }

  class MVCArray extends MVCObject {
    #items;

    constructor(items = []) {
      super();
      this.#items = items;
    }

    getArray = () => this.#items;
    getAt = (i) => this.#items[i];
    getLength = () => this.#items.length;
    forEach = (callback) => this.#items.forEach((item, i) => callback(item, i));
    push = (item) => (this.insertAt(this.#items.length, item), this.#items.length);
    pop = () => this.removeAt(this.#items.length - 1);

    insertAt(i, item) {
      this.#items.splice(i, 0, item);
      event.trigger(this, 'insert_at', i);
    }

    removeAt(i) {
      const [item] = this.#items.splice(i, 1);
      event.trigger(this, 'remove_at', i, item);
      return item;
    }

    setAt(i, item) {
      const old = this.#items[i];
      this.#items[i] = item;
      event.trigger(this, 'set_at', i, old);
    }

    clear() {
      while (this.#items.length) this.pop();
    }
  }

  class LatLng {
    constructor(lat, lng) {
      if (typeof lat === 'object') [lat, lng] = [lat.lat, lat.lng];
      if (typeof lat !== 'number' || typeof lng !== 'number') throw invalid('setCenter: not a LatLng or LatLngLiteral: in property lat: not a number');
      Object.defineProperties(this, { lat: { value: () => lat }, lng: { value: () => lng } });
    }
  }
  const latLng = (location) => (location instanceof LatLng ? location : new LatLng(location));

  class Size {
    constructor(width, height) {
      Object.assign(this, { width, height });
    }
  }

  class Point {
    constructor(x, y) {
      Object.assign(this, { x, y });
    }
  }

  class ImageMapType extends MVCObject {
    constructor(options) {
      super();
      if (typeof options.getTileUrl !== 'function' || !(options.tileSize instanceof Size)) throw invalid('getTileUrl, tileSize');
      Object.assign(this, { maxZoom: 22, minZoom: 0, ...options });
      this.set('opacity', options.opacity ?? 1);
    }

    getOpacity() {
      return this.get('opacity');
    }

    setOpacity(opacity) {
      this.set('opacity', opacity);
    }
  }

  /** Pixels of the world at a zoom. */
  function project(location, zoom) {
    const sine = Math.sin((location.lat() * Math.PI) / 180);
    const scale = WORLD * 2 ** zoom;
    return new Point(scale * (0.5 + location.lng() / 360), scale * (0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)));
  }

  function unproject({ x, y }, zoom) {
    const scale = WORLD * 2 ** zoom;
    return new LatLng((180 / Math.PI) * Math.atan(Math.sinh(Math.PI * (1 - (2 * y) / scale))), 360 * (x / scale - 0.5));
  }

  /** The insides of a map, which overlays use. */
  const insides = new WeakMap();

  class GoogleMap extends MVCObject {
    constructor(element, { center, zoom }) {
      super();
      if (!(element instanceof Element)) throw invalid('Map: Expected mapDiv of type HTMLElement');
      Object.assign(element.style, { position: 'relative', overflow: 'hidden', background: '#e5e3df' });
      const [tiles, pane] = [document.createElement('div'), document.createElement('div')];
      for (const layer of [tiles, pane]) Object.assign(layer.style, { position: 'absolute', left: 0, top: 0, width: '100%' });
      element.append(tiles, pane);
      this.overlayMapTypes = new MVCArray();
      insides.set(this, { element, tiles, pane, overlays: new Set(), origin: null });
      for (const name of ['insert_at', 'remove_at', 'set_at']) this.overlayMapTypes.addListener(name, () => this.#showTiles());
      this.#move(latLng(center), zoom);
    }

    getDiv = () => insides.get(this).element;
    getCenter = () => this.get('center');
    getZoom = () => this.get('zoom');
    setCenter = (center) => this.#move(latLng(center), this.getZoom());
    setZoom = (zoom) => this.#move(this.getCenter(), zoom);

    panBy(x, y) {
      const middle = project(this.getCenter(), this.getZoom());
      this.#move(unproject(new Point(middle.x + x, middle.y + y), this.getZoom()), this.getZoom());
    }

    /** Moves the map: panes move with it, and get another origin only with another zoom. */
    #move(center, zoom) {
      const inside = insides.get(this);
      const isZoom = zoom !== this.getZoom();
      of(fields, this, () => ({}));
      Object.assign(fields.get(this), { center, zoom });
      const middle = project(center, zoom);
      const { clientWidth, clientHeight } = inside.element;
      const [left, top] = [middle.x - clientWidth / 2, middle.y - clientHeight / 2];
      if (isZoom) inside.origin = new Point(Math.floor(left) - 40, Math.floor(top) - 25);
      inside.pane.style.transform = `translate(${inside.origin.x - left}px, ${inside.origin.y - top}px)`;
      if (isZoom) for (const overlay of inside.overlays) overlay.draw();
      this.#showTiles();
      event.trigger(this, 'center_changed');
      if (isZoom) event.trigger(this, 'zoom_changed');
      event.trigger(this, 'bounds_changed');
      clearTimeout(inside.timer);
      inside.timer = setTimeout(() => event.trigger(this, 'idle'), 50);
    }

    #showTiles() {
      const { element, tiles } = insides.get(this);
      tiles.replaceChildren();
      this.overlayMapTypes.forEach((type) => {
        const group = document.createElement('div');
        group.style.opacity = type.getOpacity();
        type.addListener('opacity_changed', () => (group.style.opacity = type.getOpacity()));
        tiles.append(group);
        this.#fill(group, element, type);
      });
    }

    #fill(group, { clientWidth, clientHeight }, { getTileUrl, tileSize, maxZoom, minZoom }) {
      const zoom = this.getZoom();
      if (zoom > maxZoom || zoom < minZoom) return;
      const middle = project(this.getCenter(), zoom);
      const [left, top] = [middle.x - clientWidth / 2, middle.y - clientHeight / 2];
      for (let y = Math.floor(top / tileSize.height); y * tileSize.height < top + clientHeight; y++) {
        for (let x = Math.floor(left / tileSize.width); x * tileSize.width < left + clientWidth; x++) {
          const url = getTileUrl(new Point(x, y), zoom);
          if (!url) continue;
          const tile = new Image(tileSize.width, tileSize.height);
          Object.assign(tile.style, { position: 'absolute', left: `${x * tileSize.width - left}px`, top: `${y * tileSize.height - top}px` });
          tile.src = url;
          group.append(tile);
        }
      }
    }
  }

  class OverlayView extends MVCObject {
    setMap(map) {
      const old = this.getMap();
      if (old) {
        insides.get(old).overlays.delete(this);
        this.onRemove();
      }
      this.set('map', map);
      if (!map) return;
      insides.get(map).overlays.add(this);
      // The API calls both later.
      setTimeout(() => {
        if (this.getMap() !== map) return;
        this.onAdd();
        this.draw();
      }, 0);
    }

    getMap = () => this.get('map') ?? null;
    onAdd() {}
    draw() {}
    onRemove() {}

    getPanes() {
      return this.getMap() && { overlayLayer: insides.get(this.getMap()).pane };
    }

    getProjection() {
      const map = this.getMap();
      const { origin } = insides.get(map);
      return {
        fromLatLngToDivPixel: (location) => {
          const { x, y } = project(location, map.getZoom());
          return new Point(x - origin.x, y - origin.y);
        },
        getWorldWidth: () => WORLD * 2 ** map.getZoom(),
      };
    }
  }

  class HeatmapLayer {
    constructor() {
      throw new Error('The Heatmap Layer functionality in the Maps JavaScript API is no longer available in the Maps JavaScript API as of version 3.65. For more info, see https://developers.google.com/maps/deprecations.');
    }
  }

  window.google = window.google || {};
  const maps = (google.maps = google.maps || {});
  const core = { LatLng, MVCArray, MVCObject, Point, Size, event };
  const libraries = { core, maps: { ...core, Map: GoogleMap, ImageMapType, OverlayView }, visualization: { HeatmapLayer } };
  Object.assign(maps, libraries.maps, { version: '3.65.6a', importLibrary: async (name) => libraries[name] ?? Promise.reject(new Error(`The library "${name}" is unknown`)) });
  const query = new URL(document.currentScript?.src || 'https://maps.example').searchParams;
  if (query.get('libraries')?.split(',').includes('visualization')) maps.visualization = libraries.visualization;
})();
