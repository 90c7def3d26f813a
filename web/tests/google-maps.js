// A stand-in for the Maps JavaScript API, which needs a key and a connection: a still map with image map types, which calls
// `getTileUrl` for the tiles of the view as the API does, also beyond the world, and shows each image at its place.
window.google = {
  maps: {
    Size: class {
      constructor(width, height) {
        Object.assign(this, { width, height });
      }
    },
    Point: class {
      constructor(x, y) {
        Object.assign(this, { x, y });
      }
    },
    ImageMapType: class {
      constructor(options) {
        if (typeof options.getTileUrl !== 'function' || !(options.tileSize instanceof google.maps.Size)) throw new Error('InvalidValueError: getTileUrl, tileSize');
        Object.assign(this, options);
      }
    },
    Map: class {
      constructor(element, { center, zoom }) {
        if (!(element instanceof Element)) throw new Error('InvalidValueError: not an element');
        Object.assign(element.style, { position: 'relative', overflow: 'hidden', background: '#e5e3df' });
        const types = [];
        this.overlayMapTypes = {
          push: (type) => {
            types.push(type);
            this.#show(element, center, zoom, type);
            return types.length;
          },
          clear: () => {
            types.length = 0;
            element.replaceChildren();
          },
        };
      }

      #show(element, { lat, lng }, zoom, { getTileUrl, tileSize, maxZoom = 22, minZoom = 0, opacity = 1 }) {
        if (zoom > maxZoom || zoom < minZoom) return;
        const world = 256 * 2 ** zoom;
        const sine = Math.sin((lat * Math.PI) / 180);
        const middle = { x: world * (0.5 + lng / 360), y: world * (0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) };
        const { clientWidth, clientHeight } = element;
        const [left, top] = [middle.x - clientWidth / 2, middle.y - clientHeight / 2];
        for (let y = Math.floor(top / tileSize.height); y * tileSize.height < top + clientHeight; y++) {
          for (let x = Math.floor(left / tileSize.width); x * tileSize.width < left + clientWidth; x++) {
            const url = getTileUrl(new google.maps.Point(x, y), zoom);
            if (!url) continue;
            const tile = new Image(tileSize.width, tileSize.height);
            Object.assign(tile.style, { position: 'absolute', opacity, left: `${x * tileSize.width - left}px`, top: `${y * tileSize.height - top}px` });
            tile.src = url;
            element.append(tile);
          }
        }
      }
    },
  },
};
