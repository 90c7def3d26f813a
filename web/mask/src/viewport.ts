export const MAX_ZOOM = 10;

export interface Point {
  x: number;
  y: number;
}

interface Size {
  width: number;
  height: number;
}

const clamp = (value: number, least: number, most: number) => Math.min(Math.max(value, least), most);

/**
 * The position of a picture within a view, in CSS pixels of the view. At zoom 1 the whole picture is visible and as large as
 * possible. Where the picture is larger than the view, it covers the view.
 */
export class Viewport {
  private view: Size = { width: 1, height: 1 };
  private picture: Size = { width: 1, height: 1 };
  private factor = 1;
  private origin: Point = { x: 0, y: 0 };

  /** Calls `changed` after each change. */
  constructor(private readonly changed: () => void) {}

  /** From 1 to 10. */
  get zoom(): number {
    return this.factor;
  }

  /** CSS pixels per pixel of the picture. */
  get scale(): number {
    return this.fit * this.factor;
  }

  /** The top left corner of the picture. */
  get corner(): Point {
    return this.origin;
  }

  private get fit(): number {
    return Math.min(this.view.width / this.picture.width, this.view.height / this.picture.height);
  }

  /** Sets the size of the view and of the picture, and keeps the center. */
  resize(view: Size, picture: Size): void {
    const middle = this.middle;
    const isSame = picture.width === this.picture.width && picture.height === this.picture.height;
    this.view = { width: Math.max(view.width, 1), height: Math.max(view.height, 1) };
    this.picture = picture;
    this.center(isSame ? middle : { x: picture.width / 2, y: picture.height / 2 });
  }

  /** The pixel of the picture at the center of the view. */
  get middle(): Point {
    return this.toPicture({ x: this.view.width / 2, y: this.view.height / 2 });
  }

  /** Moves a point of the picture to the center of the view, as far as the edges of the picture allow. */
  center({ x, y }: Point, zoom = this.factor): void {
    this.factor = clamp(zoom, 1, MAX_ZOOM);
    this.move({ x: this.view.width / 2 - x * this.scale, y: this.view.height / 2 - y * this.scale });
  }

  /** Zooms by a factor around a fixed point of the view. */
  zoomAt(by: number, at: Point = { x: this.view.width / 2, y: this.view.height / 2 }): void {
    const fixed = this.toPicture(at);
    this.factor = clamp(this.factor * by, 1, MAX_ZOOM);
    this.move({ x: at.x - fixed.x * this.scale, y: at.y - fixed.y * this.scale });
  }

  panBy(x: number, y: number): void {
    this.move({ x: this.origin.x + x, y: this.origin.y + y });
  }

  /** Pans by the minimum distance that brings a point of the picture into the view, with a margin. */
  reveal(point: Point): void {
    const at = this.toView(point);
    const margin = Math.min(40, this.view.width / 4, this.view.height / 4);
    this.panBy(clamp(at.x, margin, this.view.width - margin) - at.x, clamp(at.y, margin, this.view.height - margin) - at.y);
  }

  toView({ x, y }: Point): Point {
    return { x: this.origin.x + x * this.scale, y: this.origin.y + y * this.scale };
  }

  toPicture({ x, y }: Point): Point {
    return { x: (x - this.origin.x) / this.scale, y: (y - this.origin.y) / this.scale };
  }

  contains({ x, y }: Point): boolean {
    return x >= 0 && y >= 0 && x < this.picture.width && y < this.picture.height;
  }

  private move({ x, y }: Point): void {
    const within = (at: number, view: number, side: number) => (side <= view ? (view - side) / 2 : clamp(at, view - side, 0));
    this.origin = {
      x: within(x, this.view.width, this.picture.width * this.scale),
      y: within(y, this.view.height, this.picture.height * this.scale),
    };
    this.changed();
  }
}
