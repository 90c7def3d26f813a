import { byId } from '../../page/src/dom.js';
import type { Mask } from './api.js';
import type { Style } from './style.js';
import { numberText } from './values.js';

const STEPS = 1000;

type Bound = 'vmin' | 'vmax';

/** The controls of vmin and vmax: a slider with two thumbs, and two numbers. An empty number is the least or greatest value. */
export class BoundControls {
  private readonly inputs = { vmin: byId<HTMLInputElement>('vmin'), vmax: byId<HTMLInputElement>('vmax') };
  private readonly sliders = { vmin: byId<HTMLInputElement>('vmin-slider'), vmax: byId<HTMLInputElement>('vmax-slider') };
  /** The values at the ends of the slider. */
  private range: [number, number] = [0, 1];

  constructor(private readonly mask: Mask) {
    this.inputs.vmin.placeholder = mask.minimum === null ? '' : numberText(mask.minimum);
    this.inputs.vmax.placeholder = mask.maximum === null ? '' : numberText(mask.maximum);
  }

  show(style: Style, stored: Style): void {
    const values = [this.mask.minimum, this.mask.maximum, stored.vmin, stored.vmax, style.vmin, style.vmax];
    const known = values.filter((value) => value !== null);
    this.range = known.length ? [Math.min(...known), Math.max(...known)] : [0, 1];
    for (const bound of ['vmin', 'vmax'] as const) {
      // Typed digits are not replaced by equal ones.
      if (this.read(bound) !== style[bound]) this.inputs[bound].value = style[bound] === null ? '' : String(style[bound]);
      this.showThumb(bound, style[bound] ?? this.inferred(bound));
    }
  }

  private inferred(bound: Bound): number | null {
    return bound === 'vmin' ? this.mask.minimum : this.mask.maximum;
  }

  private showThumb(bound: Bound, value: number | null): void {
    const [from, to] = this.range;
    const slider = this.sliders[bound];
    slider.disabled = from === to;
    const step = value === null || from === to ? (bound === 'vmin' ? 0 : STEPS) : Math.round((STEPS * (value - from)) / (to - from));
    slider.value = String(step);
    slider.setAttribute('aria-valuetext', value === null ? '' : numberText(value));
    byId('bounds-fill').style[bound === 'vmin' ? 'left' : 'right'] = `${(100 * (bound === 'vmin' ? step : STEPS - step)) / STEPS}%`;
  }

  /** The style after a change of one of the controls, or null if it is another one or the bounds are not in order. */
  change(id: string, style: Style): Style | null {
    const bound = id.startsWith('vmin') ? 'vmin' : id.startsWith('vmax') ? 'vmax' : null;
    if (!bound) return null;
    const next = { ...style, [bound]: id.endsWith('-slider') ? this.slide(bound) : this.read(bound) };
    const [vmin, vmax] = [next.vmin ?? this.mask.minimum, next.vmax ?? this.mask.maximum];
    const isConstant = next.vmin === null && next.vmax === null;
    const isValid = vmin === null || vmax === null || vmin < vmax || isConstant;
    for (const input of Object.values(this.inputs)) input.setCustomValidity(isValid ? '' : 'vmin must be below vmax');
    this.inputs[bound].toggleAttribute('aria-invalid', !isValid);
    this.inputs[bound].reportValidity();
    return isValid ? next : null;
  }

  /** The value at a thumb, which stays a step from the other. */
  private slide(bound: Bound): number | null {
    const [from, to] = this.range;
    const slider = this.sliders[bound];
    const other = Number(this.sliders[bound === 'vmin' ? 'vmax' : 'vmin'].value);
    const step = bound === 'vmin' ? Math.min(slider.valueAsNumber, other - 1) : Math.max(slider.valueAsNumber, other + 1);
    slider.value = String(step);
    // The ends of the values are the values themselves, which are not rounded.
    const end = bound === 'vmin' ? step <= 0 : step >= STEPS;
    const inferred = this.inferred(bound);
    if (end && inferred === (bound === 'vmin' ? from : to)) return null;
    const digits = Math.min(Math.max(3 - Math.floor(Math.log10(to - from)), 0), 100);
    return Number((from + (step / STEPS) * (to - from)).toFixed(digits));
  }

  private read(bound: Bound): number | null {
    const value = this.inputs[bound].valueAsNumber;
    return Number.isFinite(value) ? value : null;
  }
}
