import { profileOf, type Profile } from './overlay-grid.js';

/** The number of chords of the disc that are summed. */
const CHORDS = 48;

const known = new Map<string, Profile>();

/**
 * The profile of the shadow of a disc on a canvas, up to `radius + blur`: the disc, blurred by a Gaussian with half of `blur` as its
 * standard deviation.
 */
export function shadowOf(radius: number, blur: number): Profile {
  const key = `${radius}/${blur}`;
  const found = known.get(key);
  if (found) return found;
  const sigma = blur / 2;
  const profile = profileOf((share) => {
    const distance = share * (radius + blur);
    if (!(sigma > 0)) return Number(distance <= radius);
    let sum = 0;
    for (let i = 0; i < CHORDS; i++) {
      const y = radius * ((2 * i + 1) / CHORDS - 1);
      const half = Math.sqrt(radius * radius - y * y);
      const across = normal((distance + half) / sigma) - normal((distance - half) / sigma);
      sum += Math.exp((-y * y) / (2 * sigma * sigma)) * across;
    }
    return (sum * 2 * radius) / CHORDS / (sigma * Math.sqrt(2 * Math.PI));
  });
  known.set(key, profile);
  return profile;
}

/** The cumulative normal distribution (Abramowitz and Stegun 7.1.26; error below 1.5e-7). */
function normal(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * z);
  const tail = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429)))) * Math.exp(-z * z);
  return x > 0 ? 1 - tail / 2 : tail / 2;
}
