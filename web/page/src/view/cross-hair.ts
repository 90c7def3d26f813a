import L from 'leaflet';

import { byId, debounced, make } from '../dom.js';

/** Pixels per key press, and with Shift. */
const STEP_PX = 8;
const LARGE_STEP_PX = 64;
/** At this distance from an edge the map moves instead. */
const EDGE_PX = 40;
/** The pause after the last step before the location is announced, in milliseconds. */
const PAUSE_MS = 500;
const HELP = 'Arrow keys move the cross hair, with Shift further. Enter reads the value, Esc ends.';
const MOVES: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const ICON = '<circle cx="11" cy="11" r="5.5"/><path d="M11 2v6M11 14v6M2 11h6M14 11h6"/>';

/** Values by keyboard: a cross hair that arrow keys move, and whose value Enter reads. */
export class CrossHair {
  private readonly mark = make('div', 'cross-hair');
  private readonly help = make('p', 'cross-hair-help card', HELP);
  private readonly button: HTMLButtonElement;
  private readonly box: HTMLElement;
  /** In pixels of the map. Null: the mode is off. */
  private at: L.Point | null = null;

  constructor(
    private readonly map: L.Map,
    /** Shows the value at a location. Resolves with its text. */
    private readonly read: (location: L.LatLng) => Promise<string>,
    /** A location in words. */
    private readonly describe: (location: L.LatLng) => string | Promise<string>,
  ) {
    this.box = map.getContainer();
    this.mark.setAttribute('aria-hidden', 'true');
    this.help.setAttribute('aria-hidden', 'true');
    this.button = this.addButton();
    // Before Leaflet's own keys.
    this.box.addEventListener('keydown', (event) => this.typed(event), true);
    this.box.addEventListener('focusout', ({ relatedTarget }) => relatedTarget && !this.box.contains(relatedTarget as Node) && this.stop());
  }

  private addButton(): HTMLButtonElement {
    const control = new L.Control({ position: 'topleft' });
    const bar = L.DomUtil.create('div', 'leaflet-bar area-tools');
    const button = L.DomUtil.create('button', '', bar);
    button.type = 'button';
    button.title = 'Read values by keyboard (V)';
    button.setAttribute('aria-label', button.title);
    button.setAttribute('aria-keyshortcuts', 'v');
    button.setAttribute('aria-pressed', 'false');
    button.innerHTML = `<svg viewBox="0 0 22 22" width="20" height="20" aria-hidden="true">${ICON}</svg>`;
    button.addEventListener('click', () => (this.at ? this.stop() : this.start()));
    L.DomEvent.disableClickPropagation(bar);
    control.onAdd = () => bar;
    control.addTo(this.map);
    return button;
  }

  private start(): void {
    this.at = this.map.getSize().divideBy(2).round();
    this.box.append(this.mark, this.help);
    this.button.setAttribute('aria-pressed', 'true');
    this.box.focus({ preventScroll: true });
    announce(HELP);
    this.place();
  }

  private stop(): void {
    if (!this.at) return;
    this.at = null;
    this.mark.remove();
    this.help.remove();
    this.button.setAttribute('aria-pressed', 'false');
    announce('');
  }

  private typed(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const isOnMap = event.target === this.box;
    const move = MOVES[event.key];
    if (event.key.toLowerCase() === 'v' && isOnMap) {
      if (this.at) this.stop();
      else this.start();
    } else if (!this.at) return;
    else if (event.key === 'Escape') {
      this.map.closePopup();
      this.stop();
      this.box.focus({ preventScroll: true });
    } else if (move && isOnMap) this.move(L.point(move).multiplyBy(event.shiftKey ? LARGE_STEP_PX : STEP_PX));
    else if (event.key === 'Enter' && isOnMap) void this.tell();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Moves the cross hair, or at an edge the map below it. */
  private move(by: L.Point): void {
    if (!this.at) return;
    const size = this.map.getSize();
    const needed = this.at.add(by);
    const edge = (value: number, length: number) => Math.min(Math.max(value, EDGE_PX), Math.max(length - EDGE_PX, EDGE_PX));
    this.at = L.point(edge(needed.x, size.x), edge(needed.y, size.y));
    const rest = needed.subtract(this.at);
    if (rest.x || rest.y) this.map.panBy(rest, { animate: false });
    this.place();
    this.announceSoon();
  }

  private place(): void {
    if (this.at) L.DomUtil.setPosition(this.mark, this.at);
  }

  private get location(): L.LatLng | null {
    return this.at && this.map.containerPointToLatLng(this.at);
  }

  private readonly announceSoon = debounced(() => {
    const { location } = this;
    if (location) void Promise.resolve(this.describe(location)).then((text) => this.at && announce(text));
  }, PAUSE_MS);

  private async tell(): Promise<void> {
    const { location } = this;
    if (location) announce(await this.read(location).catch((error: Error) => error.message));
  }
}

/** Announces a text to screen readers, also one equal to the last. */
export function announce(text: string): void {
  const box = byId('announcement');
  box.textContent = box.textContent === text && text ? `${text}\u00a0` : text;
}
