// Triangles of the 3-D page: bars or a surface of cells, in meters, with z from 0 to 1.

/** Floats per vertex: position (3), normal (3), color (3). */
export const FLOATS = 9;

class Mesh {
  constructor(quads) {
    this.data = new Float32Array(quads * 6 * FLOATS);
    this.at = 0;
  }

  vertex(position, normal, color) {
    this.data.set(position, this.at);
    this.data.set(normal, this.at + 3);
    this.data.set(color, this.at + 6);
    this.at += FLOATS;
  }

  /** A quadrilateral of four corners in order around it. `colors` has one color per corner. */
  quad([a, b, c, d], normal, colors) {
    for (const i of [0, 1, 2, 0, 2, 3]) this.vertex([a, b, c, d][i], normal, colors[i]);
  }

  get vertices() {
    return this.at / FLOATS;
  }
}

/** A bar per cell, a little narrower than the cell. `cells` have column, row and level (0 to 1). */
export function bars(cells, side, colorOf) {
  const mesh = new Mesh(5 * cells.length);
  const gap = 0.06 * side;
  for (const { column, row, level } of cells) {
    const color = colorOf(level);
    const colors = [color, color, color, color];
    const [west, east, south, north] = [column * side + gap, (column + 1) * side - gap, row * side + gap, (row + 1) * side - gap];
    const corners = [[west, south], [east, south], [east, north], [west, north]];
    mesh.quad(corners.map(([x, y]) => [x, y, level]), [0, 0, 1], colors);
    const normals = [[0, -1, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0]];
    normals.forEach((normal, i) => {
      const [[x0, y0], [x1, y1]] = [corners[i], corners[(i + 1) % 4]];
      mesh.quad([[x0, y0, 0], [x1, y1, 0], [x1, y1, level], [x0, y0, level]], normal, colors);
    });
  }
  return mesh;
}

/** A continuous surface through the centers of cells, 0 where there is no cell. `heightM` is the height of level 1, for the normals. */
export function surface(cells, side, colorOf, heightM) {
  const levels = new Map(cells.map(({ column, row, level }) => [`${column},${row}`, level]));
  const level = (column, row) => levels.get(`${column},${row}`) ?? 0;
  // The squares between four centers of which one has a value, by their south-west cell.
  const squares = new Map();
  for (const { column, row } of cells) {
    for (const [dx, dy] of [[0, 0], [-1, 0], [0, -1], [-1, -1]]) squares.set(`${column + dx},${row + dy}`, [column + dx, row + dy]);
  }
  const mesh = new Mesh(squares.size);
  for (const [column, row] of squares.values()) {
    const corners = [[0, 0], [1, 0], [1, 1], [0, 1]].map(([dx, dy]) => {
      const [i, j] = [column + dx, row + dy];
      return { at: [(i + 0.5) * side, (j + 0.5) * side, level(i, j)], slope: [level(i + 1, j) - level(i - 1, j), level(i, j + 1) - level(i, j - 1)] };
    });
    for (const i of [0, 1, 2, 0, 2, 3]) {
      const { at, slope } = corners[i];
      const normal = slope.map((rise) => (-rise * heightM) / (2 * side));
      mesh.vertex(at, [...normal, 1], colorOf(at[2]));
    }
  }
  return mesh;
}
