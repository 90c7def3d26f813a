import { colorAt, type Ramp } from '../floor/ramps.js';

/** A color of a cell as red, green and blue from 0 to 255, opaque on the background of the chart. */
type Rgb = [number, number, number];

/** The colors of values from `min` to `max`. */
export class CellScale {
  constructor(
    private readonly ramp: Ramp,
    readonly min: number,
    readonly max: number,
    /** The color below transparent colors. */
    private readonly background: Rgb,
  ) {}

  /** The colors from low to high, for a legend. */
  get css(): string[] {
    return this.ramp.css;
  }

  private rgb(value: number): Rgb {
    const share = this.max > this.min ? (value - this.min) / (this.max - this.min) : 1;
    const [red, green, blue, alpha] = colorAt(this.ramp, share);
    return [red, green, blue].map((part, i) => part * (alpha / 255) + this.background[i]! * (1 - alpha / 255)) as Rgb;
  }

  color(value: number): string {
    return `rgb(${this.rgb(value).map(Math.round).join(' ')})`;
  }

  /** Black or white, whichever has more contrast (WCAG 2.2) with the color of a value. */
  textColor(value: number): string {
    const linear = (part: number) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = this.rgb(value).map((part) => linear(part / 255)) as Rgb;
    // At a luminance of 0.179 both have a contrast of 4.6.
    return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? '#000' : '#fff';
  }
}

/** A color of the theme as red, green and blue. */
export function themeColor(name: string): Rgb {
  const written = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // The build writes #ffffff as #fff.
  const text = written.length === 4 ? written.replace(/\w/g, '$&$&') : written;
  return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16)) as Rgb;
}
