/** Weighted points on a plane: of a map in Web Mercator, where x and y of the world are from 0 to 1, or in pixels of a page. */
export class Points {
  x: Float64Array;
  y: Float64Array;
  weight: Float32Array;
  length = 0;

  constructor(capacity = 16) {
    this.x = new Float64Array(capacity);
    this.y = new Float64Array(capacity);
    this.weight = new Float32Array(capacity);
  }

  /** Adds a point. */
  add(x: number, y: number, weight: number): void {
    if (this.length === this.x.length) this.grow();
    this.x[this.length] = x;
    this.y[this.length] = y;
    this.weight[this.length++] = weight;
  }

  /** Adds a point by its latitude and longitude in degrees. */
  addLatLng(lat: number, lng: number, weight: number): void {
    const [x, y] = mercator(lat, lng);
    this.add(x, y, weight);
  }

  clear(): void {
    this.length = 0;
  }

  private grow(): void {
    const size = Math.max(16, 2 * this.length);
    const copy = <T extends Float64Array | Float32Array>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.x = copy(this.x, new Float64Array(size));
    this.y = copy(this.y, new Float64Array(size));
    this.weight = copy(this.weight, new Float32Array(size));
  }
}

/** The edge of a Mercator map, in degrees. */
const MAX_LATITUDE = 85.0511287798066;

/** A location in Web Mercator: x from 0 at 180° W to 1, y from 0 in the north to 1. */
export function mercator(lat: number, lng: number): [x: number, y: number] {
  const sine = Math.sin((Math.max(-MAX_LATITUDE, Math.min(MAX_LATITUDE, lat)) * Math.PI) / 180);
  const x = lng / 360 + 0.5;
  return [x - Math.floor(x), 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}
