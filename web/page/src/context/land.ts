import L from 'leaflet';

import { fillLand, outlinesAt, strengthAt, strokeLines, type Outlines } from './outlines.js';

type Draw = typeof fillLand;

/** A layer of outlines, drawn in tiles in the colors of the theme. Needs no server other than that of the page. */
class OutlineTiles extends L.GridLayer {
  constructor(pane: string, private readonly draw: Draw, options: L.GridLayerOptions = {}) {
    super();
    L.setOptions(this, { pane, tileSize: 512, updateWhenZooming: false, keepBuffer: 1, ...options });
  }

  override createTile(coords: L.Coords, done: L.DoneCallback): HTMLElement {
    const tile = document.createElement('canvas');
    const ratio = Math.min(Math.max(devicePixelRatio, 1), 2);
    const { x: side } = this.getTileSize();
    tile.width = tile.height = side * ratio;
    const context = tile.getContext('2d');
    const world = 256 * 2 ** coords.z;
    const frame = { left: (coords.x * side) / world, top: (coords.y * side) / world, width: side, height: side, world };
    const strength = strengthAt(coords.z);
    const paint = (outlines: Outlines) => {
      if (context && strength > 0) {
        context.scale(ratio, ratio);
        context.globalAlpha = strength;
        this.draw(context, outlines, frame);
      }
      done(undefined, tile);
    };
    // The coarse outlines stand in for the fine ones if these fail to load.
    outlinesAt(coords.z).catch(() => outlinesAt(0)).then(paint, (error: Error) => done(error, tile));
    return tile;
  }
}

/** Land below a heat map. */
export const land = (pane: string) => new OutlineTiles(pane, fillLand, { attribution: '<a href="https://www.naturalearthdata.com/">Natural Earth</a>' });

/** Coasts and borders above a heat map. */
export const lines = (pane: string) => new OutlineTiles(pane, strokeLines);
