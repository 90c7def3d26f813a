/** The length of the equator in meters, on the sphere of Web Mercator. */
const EQUATOR_M = 2 * Math.PI * 6_378_137;

/** The size of a dot in pixels of the map. */
export interface DotSize {
  /** The radius in pixels at a latitude. */
  radiusAt(lat: number): number;
  /** Whether it is a radius on the ground, whose pixels depend on the latitude. */
  isOnGround: boolean;
}

/** The width on the ground of a pixel of the map, in meters. */
export function pixelWidthM(lat: number, zoom: number): number {
  return (EQUATOR_M * Math.cos((lat * Math.PI) / 180)) / (256 * 2 ** zoom);
}

/** Parses a radius of a style: `25`, `25px`, `500m` or `10km`. Null: another text. */
export function dotSize(radius: number | string | undefined, zoom: number): DotSize | null {
  const [, digits, unit] = /^\s*([\d.]+(?:e[+-]?\d+)?)\s*(px|m|km)?\s*$/.exec(String(radius)) ?? [];
  const number = Number(digits);
  if (!(number > 0)) return null;
  if (unit !== 'm' && unit !== 'km') return { radiusAt: () => number, isOnGround: false };
  const meters = unit === 'km' ? 1000 * number : number;
  return { radiusAt: (lat) => meters / pixelWidthM(lat, zoom), isOnGround: true };
}
