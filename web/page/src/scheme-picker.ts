import type { Catalog } from './catalog.js';
import { byId, make, option } from './dom.js';
import { schemeGroups } from './scheme-groups.js';

/** The schemes with a swatch, in two columns: sequential ones from light or dark to hot, and one with many hues. */
export const RECOMMENDED = ['heat', 'inferno', 'magma', 'viridis', 'cividis', 'ylorrd', 'ylgnbu', 'turbo'];
/**
 * Those whose colors color-blind people tell apart: the lightness changes in one direction, and colors a quarter of the scale apart
 * differ by at least 10 in CIELAB, also as seen with protanopia, deuteranopia and tritanopia. A test computes both.
 */
export const SAFE = new Set(['inferno', 'magma', 'viridis', 'cividis', 'ylorrd', 'ylgnbu']);

/** The choice of a color scheme: swatches of the recommended ones, and a list of all. The list has the value. */
export class SchemePicker {
  private readonly select = byId<HTMLSelectElement>('scheme');
  private readonly swatches: HTMLInputElement[];

  constructor({ schemes, ...catalog }: Catalog) {
    this.select.replaceChildren(...schemeGroups({ schemes, ...catalog }));
    const known = RECOMMENDED.flatMap((name) => schemes.find((scheme) => scheme.name === name) ?? []);
    this.swatches = known.map(({ name }) => {
      const input = make('input');
      Object.assign(input, { type: 'radio', name: 'swatch', value: name });
      return input;
    });
    const labels = known.map(({ name, colors }, i) => {
      const label = make('label', 'swatch');
      const bar = make('span', 'colors');
      bar.style.background = `linear-gradient(to right, ${colors.join(', ')})`;
      const text = make('span', 'name', name);
      if (SAFE.has(name)) {
        const mark = make('span', 'safe', '✓');
        mark.setAttribute('aria-hidden', 'true');
        text.append(mark, make('span', 'unseen', ', safe for color-blind people'));
      }
      label.append(this.swatches[i]!, bar, text);
      return label;
    });
    byId('swatches').replaceChildren(...labels);
    byId('swatches').addEventListener('input', (event) => {
      event.stopPropagation();
      this.select.value = (event.target as HTMLInputElement).value;
      this.select.dispatchEvent(new Event('input', { bubbles: true }));
    });
  }

  /** Shows the chosen scheme. */
  show(name: string, isDisabled = false): void {
    // Reversed schemes are not listed.
    if (![...this.select.options].some(({ value }) => value === name)) this.select.append(option(name));
    this.select.value = name;
    this.select.disabled = isDisabled;
    for (const swatch of this.swatches) {
      swatch.checked = swatch.value === name;
      swatch.disabled = isDisabled;
    }
    byId('ramp').hidden = !isDisabled && this.swatches.some(({ checked }) => checked);
  }
}
