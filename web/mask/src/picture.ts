import { byId } from '../../page/src/dom.js';
import type { Viewport } from './viewport.js';

/** From so many CSS pixels per pixel of the picture on, its pixels have sharp edges. */
const SHARP_FROM = 2.5;

/** The background and the overlay, one on the other. */
export class Stack {
  private readonly frame = byId('picture');

  /** Sets the size of both in pixels. */
  size(width: number, height: number): void {
    this.frame.style.width = `${width}px`;
    this.frame.style.height = `${height}px`;
  }

  /** Shows an image once it is decoded: until then the one before stays. */
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
    // Of the checkered ground, which is not enlarged.
    this.frame.style.setProperty('--checker', `${16 / scale}px`);
  }
}
