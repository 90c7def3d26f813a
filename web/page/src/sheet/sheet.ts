import L from 'leaflet';

import { byId } from '../dom.js';
import { KeptCenter } from './kept-center.js';
import { arrangement, onArrangement } from './layout.js';

/** How far the sheet is open: title, legend and times; about half of the screen; nearly all of it. */
type Detent = 'peek' | 'half' | 'full';
const DETENTS: Detent[] = ['peek', 'half', 'full'];

/** A press that moves less is a tap. */
const TAP_PX = 6;
/** A faster drag opens or closes the sheet by one step, in pixels per millisecond. */
const FLING = 0.5;
/** The share of the screen that an open sheet covers at most before the map keeps its size below it. */
const MAX_COVERED = 0.62;
const HALF = 0.6;
/** What remains of the map above a full sheet, in pixels. */
const FULL_GAP_PX = 48;
const SLIDE_MS = 200;
/** Parts of the sheet that need their own drags. */
const OWN_DRAGS = 'input, select, a, #area';

/**
 * The panel of a small screen. Upright it is a sheet at the bottom, which a drag, a tap or the keyboard opens to half and to all of the
 * screen; the map has the rest. On a low screen it is a card whose controls fold. The legend, the times and the card of an area are in it.
 */
export class Sheet {
  private readonly panel = byId('panel');
  private readonly controls = byId('controls');
  private readonly button = byId('fold');
  private detent: Detent;
  private drag: { startY: number; startHeight: number; lastY: number; lastTime: number; speed: number; isMoved: boolean } | null = null;
  private hasDragged = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly corner: HTMLElement;
  private readonly center: KeptCenter;

  constructor(
    private readonly map: L.Map,
    /** Called after the arrangement of the page has changed. */
    private readonly rearranged: () => void = () => undefined,
  ) {
    this.corner = map.getContainer().querySelector<HTMLElement>('.leaflet-bottom.leaflet-left')!;
    this.detent = arrangement() === 'wide' ? 'half' : 'peek';
    this.center = new KeptCenter(map);
    this.button.addEventListener('click', () => this.pressed());
    this.panel.addEventListener('keydown', (event) => this.typed(event));
    for (const id of ['fold', 'peek']) byId(id).addEventListener('pointerdown', (event) => this.grabbed(event));
    for (const part of this.controls.querySelectorAll('details')) {
      part.addEventListener('toggle', () => part.open && part.scrollIntoView({ block: 'nearest' }));
    }
    onArrangement(() => this.arrange());
    addEventListener('resize', () => this.place());
    const observer = new ResizeObserver(() => {
      if (!this.drag) this.place();
    });
    for (const id of ['peek', 'notice', 'area']) observer.observe(byId(id));
    this.arrange(true);
  }

  /** Whether the map moves because its size has changed: its position stays. */
  get isResizing(): boolean {
    return this.center.isResizing;
  }

  /** Moves the legend, the times and the card of an area to their places in the arrangement. */
  private arrange(isFirst = false): void {
    const isWide = arrangement() === 'wide';
    const { corner } = this;
    if (isWide) {
      this.map.getContainer().querySelector('.leaflet-control-container')?.append(corner);
      this.panel.after(byId('times'), byId('area'));
    } else {
      byId('peek').append(corner, byId('times'));
      byId('peek').after(byId('area'));
    }
    this.detent = isWide ? 'half' : 'peek';
    this.place(true);
    // A popup is not opened below the card or the buttons.
    const side = isWide || arrangement() === 'side' ? this.panel.offsetWidth + 20 : 10;
    L.Popup.mergeOptions({ autoPanPaddingTopLeft: [64, 12], autoPanPaddingBottomRight: [side, 12] });
    if (!isFirst) this.rearranged();
  }

  private open(detent: Detent): void {
    this.detent = detent;
    this.place();
  }

  /** A tap or Enter: to half, to full, and back. A card folds and unfolds. */
  private pressed(): void {
    if (this.hasDragged) return void (this.hasDragged = false);
    if (arrangement() === 'sheet') return this.open(DETENTS[(DETENTS.indexOf(this.detent) + 1) % DETENTS.length]!);
    this.open(this.detent === 'peek' ? 'half' : 'peek');
  }

  private typed(event: KeyboardEvent): void {
    if (arrangement() === 'wide') return;
    const at = DETENTS.indexOf(this.detent);
    const isOnButton = event.target === this.button;
    if (event.key === 'Escape' && this.detent !== 'peek') {
      this.open('peek');
      this.button.focus();
    } else if (isOnButton && event.key === 'ArrowUp') this.open(DETENTS[Math.min(at + 1, 2)]!);
    else if (isOnButton && event.key === 'ArrowDown') this.open(DETENTS[Math.max(at - 1, 0)]!);
    else return;
    event.preventDefault();
  }

  /** The height of a detent in pixels. */
  private heightOf(detent: Detent): number {
    const inset = parseFloat(getComputedStyle(this.panel).paddingBottom) || 0;
    const outer = ['header', '#notice', '#peek', '#area'].reduce((sum, name) => {
      const part = this.panel.querySelector<HTMLElement>(`:scope > ${name}`);
      if (!part || !part.offsetHeight) return sum;
      const { marginTop, marginBottom } = getComputedStyle(part);
      return sum + part.offsetHeight + parseFloat(marginTop) + parseFloat(marginBottom);
    }, inset + 1);
    const full = innerHeight - FULL_GAP_PX;
    if (detent === 'peek') return Math.min(outer, full);
    // Some controls are visible in any case.
    return detent === 'half' ? Math.min(Math.max(HALF * innerHeight, outer + 130), full) : full;
  }

  /** Sets the heights of the sheet and of the map. */
  private place(isInstant = false): void {
    const isFolded = this.detent === 'peek';
    const isSheet = arrangement() === 'sheet';
    this.panel.dataset['detent'] = this.detent;
    if (this.detent !== 'full') this.panel.scrollTop = 0;
    this.button.setAttribute('aria-expanded', String(!isFolded));
    this.controls.hidden = isFolded;
    clearTimeout(this.timer);
    if (!isSheet) {
      this.panel.style.height = '';
      document.body.style.removeProperty('--sheet');
      return;
    }
    const height = Math.round(this.heightOf(this.detent));
    this.panel.style.height = `${height}px`;
    const covered = Math.min(height, Math.round(Math.max(MAX_COVERED * innerHeight, this.heightOf('peek'))));
    const before = parseFloat(document.body.style.getPropertyValue('--sheet')) || 0;
    const resize = () => document.body.style.setProperty('--sheet', `${this.panel.hidden ? 0 : covered}px`);
    // The map shrinks once the sheet has covered the rest of it.
    if (covered > before && before > 0 && !isInstant) this.timer = setTimeout(resize, SLIDE_MS);
    else resize();
  }

  private grabbed(event: PointerEvent): void {
    this.hasDragged = false;
    const target = event.target as HTMLElement;
    const isOther = target.closest(OWN_DRAGS) || (target.closest('button') && target.closest('#times'));
    // A full sheet scrolls.
    const scrolls = this.detent === 'full' && !target.closest('#fold');
    if (arrangement() !== 'sheet' || !event.isPrimary || event.button !== 0 || isOther || scrolls) return;
    const startHeight = this.panel.offsetHeight;
    this.drag = { startY: event.clientY, startHeight, lastY: event.clientY, lastTime: event.timeStamp, speed: 0, isMoved: false };
    const moved = (next: PointerEvent) => next.isPrimary && this.dragged(next);
    const ended = (next: PointerEvent) => {
      if (!next.isPrimary) return;
      removeEventListener('pointermove', moved);
      removeEventListener('pointerup', ended);
      removeEventListener('pointercancel', ended);
      this.released();
    };
    addEventListener('pointermove', moved);
    addEventListener('pointerup', ended);
    addEventListener('pointercancel', ended);
  }

  private dragged(event: PointerEvent): void {
    const { drag } = this;
    if (!drag) return;
    const by = drag.startY - event.clientY;
    if (!drag.isMoved && Math.abs(by) < TAP_PX) return;
    if (!drag.isMoved) {
      drag.isMoved = true;
      this.controls.hidden = false;
      this.panel.classList.add('is-dragged');
      this.panel.scrollTop = 0;
    }
    const elapsed = Math.max(event.timeStamp - drag.lastTime, 1);
    drag.speed = (drag.lastY - event.clientY) / elapsed;
    Object.assign(drag, { lastY: event.clientY, lastTime: event.timeStamp });
    const height = Math.min(Math.max(drag.startHeight + by, this.heightOf('peek')), this.heightOf('full'));
    this.panel.style.height = `${height}px`;
  }

  private released(): void {
    const { drag } = this;
    this.drag = null;
    if (!drag?.isMoved) return;
    this.panel.classList.remove('is-dragged');
    // The click that the browser sends at the end of the drag.
    this.hasDragged = true;
    setTimeout(() => (this.hasDragged = false), 50);
    const height = this.panel.offsetHeight;
    const at = DETENTS.indexOf(this.detent);
    if (Math.abs(drag.speed) > FLING) return this.open(DETENTS[Math.min(Math.max(at + Math.sign(drag.speed), 0), 2)]!);
    const distance = (detent: Detent) => Math.abs(this.heightOf(detent) - height);
    this.open(DETENTS.reduce((best, detent) => (distance(detent) < distance(best) ? detent : best)));
  }
}
