import { byId, make, option } from '../../page/src/dom.js';
import type { Colormaps, Mask } from './api.js';
import { BoundControls } from './bounds.js';
import { kernelText, kilnNames, type Style } from './style.js';

const input = (id: string) => byId<HTMLInputElement>(id);
const select = (id: string) => byId<HTMLSelectElement>(id);

/** The controls: shows a style, and reports its changes. */
export class Panel {
  private readonly bounds: BoundControls;

  constructor(
    mask: Mask,
    colormaps: Colormaps,
    private style: Style,
    private readonly stored: Style,
    private readonly changed: (style: Style) => void,
  ) {
    this.bounds = new BoundControls(mask);
    select('colormap').replaceChildren(group('OpenCV', colormaps.opencv), group('Kiln', kilnNames(colormaps)));
    byId('about').replaceChildren(...aboutLines(mask));
    byId('controls').oninput = (event) => this.take((event.target as HTMLElement).id);
    byId('controls').onsubmit = (event) => event.preventDefault();
    byId('reset').onclick = () => this.update({ ...this.stored });
    this.show(style);
  }

  show(style: Style): void {
    this.style = style;
    input('opacity').value = String(style.opacity);
    byId('opacity-value').textContent = `${style.opacity} %`;
    input('transparent-low').checked = style.isLowTransparent;
    // A scheme file of the server may be in no list.
    if (![...select('colormap').options].some(({ value }) => value === style.colormap)) select('colormap').append(option(style.colormap));
    select('colormap').value = style.colormap;
    input('reversed').checked = style.isReversed;
    this.bounds.show(style, this.stored);
    select('blur').value = style.blur;
    select('blur').disabled = style.kernel === null;
    input('kernel').value = String(style.kernel ? (Math.max(...style.kernel) - 1) / 2 : 0);
    const size = style.kernel ? `${style.kernel.join(' × ')} cells` : kernelText(style);
    byId('kernel-value').textContent = size;
    input('kernel').setAttribute('aria-valuetext', size);
  }

  private take(id: string): void {
    const { style } = this;
    const bounds = this.bounds.change(id, style);
    if (bounds) this.update(bounds);
    else if (id === 'opacity') this.update({ ...style, opacity: input(id).valueAsNumber });
    else if (id === 'transparent-low') this.update({ ...style, isLowTransparent: input(id).checked });
    else if (id === 'colormap') this.update({ ...style, colormap: select(id).value });
    else if (id === 'reversed') this.update({ ...style, isReversed: input(id).checked });
    else if (id === 'blur') this.update({ ...style, blur: select(id).value });
    else if (id === 'kernel') this.update({ ...style, kernel: kernelOf(input(id).valueAsNumber) });
  }

  private update(style: Style): void {
    this.show(style);
    this.changed(style);
  }
}

/** The kernel at a step of the slider: none, 3 × 3, 5 × 5 and so on. */
const kernelOf = (step: number): Style['kernel'] => (step ? [2 * step + 1, 2 * step + 1] : null);

function group(label: string, names: string[]): HTMLOptGroupElement {
  const element = make('optgroup');
  element.label = label;
  element.append(...names.map((name) => option(name, name.replace(/^kiln:/, ''))));
  return element;
}

function aboutLines(mask: Mask): HTMLElement[] {
  const size = `${mask.rows.toLocaleString('en')} rows × ${mask.columns.toLocaleString('en')} columns`;
  const expires = new Date(mask.expires_at * 1000);
  const isToday = expires.toDateString() === new Date().toDateString();
  const time = expires.toLocaleString('en-GB', isToday ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' });
  return [`${size}. Expires at ${time}.`, ...mask.remarks].map((text) => make('span', 'line', text));
}
