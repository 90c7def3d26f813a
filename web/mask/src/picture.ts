import { byId } from '../../page/src/dom.js';
import type { Viewport } from './viewport.js';

/** The number of screen pixels per pixel of the picture from which its pixels have sharp edges. */
const SHARP_FROM = 2.5;

/** The background and the overlay above it. */
export class Stack {
  private readonly frame = byId('picture');

  /** Sets the size of both in pixels. */
  size(width: number, height: number): void {
    this.frame.style.width = `${width}px`;
    this.frame.style.height = `${height}px`;
  }

  /** Shows an image when it is decoded; the previous one is visible until then. */
  async show(layer: 'background' | 'overlay', blob: Blob, isCurrent: () => boolean): Promise<void> {
    const before = byId<HTMLImageElement>(layer);
    const next = before.cloneNode() as HTMLImageElement;
    next.src = URL.createObjectURL(blob);
    next.hidden = false;
    await next.decode();
    if (!isCurrent()) return URL.revokeObjectURL(next.src);
    const shown = byId<HTMLImageElement>(layer);
    next.style.opacity = shown.style.opacity;
    shown.replaceWith(next);
    URL.revokeObjectURL(shown.src);
    this.frame.hidden = false;
  }

  /** Sets the opacity of the overlay in percent. */
  fade(percent: number): void {
    byId('overlay').style.opacity = String(percent / 100);
  }

  place({ corner, scale }: Viewport): void {
    this.frame.style.transform = `translate(${corner.x}px, ${corner.y}px) scale(${scale})`;
    this.frame.classList.toggle('sharp', scale * devicePixelRatio >= SHARP_FROM);
    // The checkerboard pattern keeps its size at every zoom.
    this.frame.style.setProperty('--checker', `${16 / scale}px`);
  }
}
