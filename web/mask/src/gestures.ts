import type { Point, Viewport } from './viewport.js';

/** The maximum movement of a click, in CSS pixels. */
const SLACK = 4;
/** Zoom per wheel pixel. A pinch on a touchpad is reported as a wheel event with Ctrl and smaller steps. */
const WHEEL = 0.0018;
const PINCH = 0.012;
const LINE_PX = 16;

interface Handlers {
  /** A click, in pixels of the element. */
  click: (at: Point) => void;
  /** The position of the mouse over the element, or null after it has left or while it drags. */
  hover: (at: Point | null) => void;
}

/** Zooms by wheel and pinch, and pans by dragging. A pinch also pans with the center of both fingers. */
export class Gestures {
  private readonly pointers = new Map<number, Point>();
  private start: Point | null = null;
  private isDrag = false;

  constructor(
    private readonly element: HTMLElement,
    private readonly viewport: Viewport,
    private readonly handlers: Handlers,
  ) {
    element.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    element.addEventListener('pointerdown', (event) => this.down(event));
    element.addEventListener('pointermove', (event) => this.move(event));
    element.addEventListener('pointerup', (event) => this.up(event, true));
    element.addEventListener('pointercancel', (event) => this.up(event, false));
    element.addEventListener('pointerleave', () => handlers.hover(null));
  }

  private at({ clientX, clientY }: MouseEvent): Point {
    const { left, top } = this.element.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  private wheel(event: WheelEvent): void {
    const { deltaY, deltaMode, ctrlKey } = event;
    // At the minimum zoom, the wheel scrolls the parent page.
    if (deltaY > 0 && this.viewport.zoom === 1 && !ctrlKey) return;
    event.preventDefault();
    const px = deltaMode === WheelEvent.DOM_DELTA_PIXEL ? deltaY : deltaY * LINE_PX;
    this.viewport.zoomAt(Math.exp(-px * (ctrlKey ? PINCH : WHEEL)), this.at(event));
  }

  private down(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.pointers.set(event.pointerId, this.at(event));
    this.start = this.pointers.size === 1 ? this.at(event) : null;
    this.isDrag = this.pointers.size > 1;
  }

  private move(event: PointerEvent): void {
    const at = this.at(event);
    const before = this.pointers.get(event.pointerId);
    if (!before) {
      if (event.pointerType === 'mouse') this.handlers.hover(at);
      return;
    }
    if (!this.isDrag && this.start && Math.hypot(at.x - this.start.x, at.y - this.start.y) < SLACK) return;
    if (!this.isDrag) {
      this.isDrag = true;
      this.handlers.hover(null);
    }
    // The drag continues outside the element.
    this.element.setPointerCapture(event.pointerId);
    const other = [...this.pointers].find(([id]) => id !== event.pointerId)?.[1];
    this.pointers.set(event.pointerId, at);
    if (!other) return this.viewport.panBy(at.x - before.x, at.y - before.y);
    const distance = (point: Point) => Math.max(Math.hypot(point.x - other.x, point.y - other.y), 1);
    this.viewport.panBy((at.x - before.x) / 2, (at.y - before.y) / 2);
    this.viewport.zoomAt(distance(at) / distance(before), { x: (at.x + other.x) / 2, y: (at.y + other.y) / 2 });
  }

  private up(event: PointerEvent, isDone: boolean): void {
    const isKnown = this.pointers.delete(event.pointerId);
    if (isKnown && isDone && !this.isDrag) this.handlers.click(this.at(event));
    if (this.pointers.size === 0) this.isDrag = false;
  }
}
