import type { Colormaps, Mask } from './api.js';

export const BLURS = ['gaussian', 'median', 'box'] as const;

/** The style of the page, which is independent of the style stored on the server. */
export interface Style {
  /** An OpenCV colormap, or a scheme of Kiln. */
  colormap: string;
  isReversed: boolean;
  /** In percent. */
  opacity: number;
  /** The values of the lowest and the highest level; null: the least and the greatest value. */
  vmin: number | null;
  vmax: number | null;
  isLowTransparent: boolean;
  blur: string;
  /** Width and height of the kernel in cells; null: no blur. */
  kernel: [number, number] | null;
}

/** The style that is stored with a mask. The defaults are those of the API. */
export function storedStyle(mask: Mask, colormaps: Colormaps): Style {
  const { style } = mask;
  return {
    ...colormapOf(style['colormap'] ?? 'jet', colormaps),
    opacity: Number(style['opacity'] ?? 70),
    vmin: numberOf(style['vmin']),
    vmax: numberOf(style['vmax']),
    isLowTransparent: style['transparent_low'] === 'true',
    blur: style['blur'] ?? 'gaussian',
    kernel: kernelOf(style['blur_ksize'] ?? '5,5') ?? null,
  };
}

/** The request parameters that differ from the stored style. The browser applies the opacity. */
export function queryOf(style: Style, stored: Style, mask: Mask): URLSearchParams {
  const query = new URLSearchParams();
  if (style.colormap !== stored.colormap || style.isReversed !== stored.isReversed) query.set('colormap', colormapName(style));
  // A stored bound can only be replaced by a value; if the mask has no finite value, the bound is unchanged.
  const [vmin, vmax] = [style.vmin ?? mask.minimum, style.vmax ?? mask.maximum];
  if (style.vmin !== stored.vmin && vmin !== null) query.set('vmin', String(vmin));
  if (style.vmax !== stored.vmax && vmax !== null) query.set('vmax', String(vmax));
  if (style.isLowTransparent !== stored.isLowTransparent) query.set('transparent_low', String(style.isLowTransparent));
  if (style.blur !== stored.blur) query.set('blur', style.blur);
  if (kernelText(style) !== kernelText(stored)) query.set('blur_ksize', kernelText(style));
  return query;
}

/** The URL fragment: parameters that differ from the stored style. An empty bound is the least or the greatest value. */
export function fragmentOf(style: Style, stored: Style, mask: Mask): URLSearchParams {
  const fragment = queryOf(style, stored, mask);
  for (const bound of ['vmin', 'vmax'] as const) if (fragment.has(bound)) fragment.set(bound, String(style[bound] ?? ''));
  if (style.opacity !== stored.opacity) fragment.set('opacity', String(style.opacity));
  return fragment;
}

/** Reads the style of a fragment. Invalid parameters keep their stored values. */
export function readFragment(fragment: URLSearchParams, stored: Style, colormaps: Colormaps): Style {
  const style = { ...stored };
  const bound = (name: 'vmin' | 'vmax') => {
    const text = fragment.get(name);
    if (text === '') style[name] = null;
    else style[name] = numberOf(text) ?? stored[name];
  };
  bound('vmin');
  bound('vmax');
  const colormap = colormapOf(fragment.get('colormap') ?? '', colormaps);
  if ([...colormaps.opencv, ...kilnNames(colormaps)].includes(colormap.colormap)) Object.assign(style, colormap);
  const opacity = numberOf(fragment.get('opacity'));
  if (opacity !== null && opacity >= 0 && opacity <= 100) style.opacity = opacity;
  const blur = BLURS.find((known) => known === fragment.get('blur'));
  if (blur) style.blur = blur;
  const kernel = kernelOf(fragment.get('blur_ksize') ?? '');
  if (kernel !== undefined) style.kernel = kernel;
  const low = fragment.get('transparent_low');
  if (low === 'true' || low === 'false') style.isLowTransparent = low === 'true';
  return style;
}

/** Kiln's schemes as colormaps, with a prefix if OpenCV has a colormap of the same name. */
export const kilnNames = ({ opencv, kiln }: Colormaps) => kiln.map((name) => (opencv.includes(name) ? `kiln:${name}` : name));

export const colormapName = ({ colormap, isReversed }: Style) => (isReversed ? `${colormap}_r` : colormap);

/** The kernel in the format of the API. */
export const kernelText = ({ kernel }: Style) => kernel?.join(',') ?? 'none';

/** A colormap by its name or OpenCV's number. */
function colormapOf(text: string, { opencv }: Colormaps): Pick<Style, 'colormap' | 'isReversed'> {
  const isReversed = text.endsWith('_r');
  const name = text.replace(/_r$/, '').replace(/^COLORMAP_/i, '').toLowerCase();
  const colormap = /^\d+$/.test(name) ? (opencv[Number(name)] ?? name) : name;
  return { colormap, isReversed };
}

function numberOf(text: string | null | undefined): number | null {
  const value = text?.trim() ? Number(text) : NaN;
  return Number.isFinite(value) ? value : null;
}

/** `7,5`, `[7,5]`, `7` or `none`; undefined if it is none of these. */
function kernelOf(text: string): [number, number] | null | undefined {
  if (text === 'none') return null;
  const [width = 0, height = width] = text.replace(/[[\]\s]/g, '').split(',').map(Number);
  const isSide = (side: number) => side % 2 === 1 && side <= 255;
  return isSide(width) && isSide(height) ? [width, height] : undefined;
}
