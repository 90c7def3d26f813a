/** Unwraps a ring or line: beyond the antimeridian its longitudes continue past 180°. */
export function unwrapped(line: number[][]): number[][] {
  let turn = 0;
  return line.map(([lng = 0, lat = 0], i) => {
    const before = line[i - 1]?.[0] ?? lng;
    if (Math.abs(lng - before) > 180) turn += lng < before ? 360 : -360;
    return [lng + turn, lat];
  });
}

/** Closes a ring around the pole (Antarctica), whose end is 360° from its start, along the pole. */
export function closed(ring: number[][]): number[][] {
  const [first = 0, last = 0] = [ring[0]?.[0], ring.at(-1)?.[0]];
  return Math.abs(first - last) < 180 ? ring : [...ring, [last, -90], [first, -90]];
}
