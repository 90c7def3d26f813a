import L from 'leaflet';

import type { Cells } from './grid.js';
import { colorAt, type Ramp, type Scale } from './ramps.js';

/** The picture of cells: one pixel each, drawn with sharp edges. */
export class CellPicture {
  private overlay: L.ImageOverlay | null = null;

  constructor(private readonly map: L.Map, private readonly pane: string) {}

  /** Shows cells in the colors of a scale. */
  show(cells: Cells, ramp: Ramp, scale: Scale, opacity: number): void {
    this.remove();
    const { columns, rows, side } = cells.frame;
    if (!cells.values.size) return;
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [columns[1] - columns[0] + 1, rows[1] - rows[0] + 1];
    const context = canvas.getContext('2d');
    if (!context) return;
    const image = context.createImageData(canvas.width, canvas.height);
    for (const { column, row, value } of cells.values.values()) {
      const [red, green, blue, alpha] = colorAt(ramp, scale.position(value));
      image.data.set([red, green, blue, alpha], 4 * ((rows[1] - row) * canvas.width + column - columns[0]));
    }
    context.putImageData(image, 0, 0);
    const bounds: L.LatLngBoundsLiteral = [[rows[0] * side, columns[0] * side], [(rows[1] + 1) * side, (columns[1] + 1) * side]];
    this.overlay = L.imageOverlay(canvas.toDataURL(), bounds, { pane: this.pane, className: 'cells', opacity }).addTo(this.map);
  }

  remove(): void {
    this.overlay?.remove();
    this.overlay = null;
  }
}
