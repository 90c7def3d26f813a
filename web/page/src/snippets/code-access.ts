import { fetchJson, KilnError } from 'kiln-leaflet';

import { BASE, type Access } from '../catalog.js';
import { make, option } from '../dom.js';
import { token } from '../add/access.js';
import { sentence } from '../add/texts.js';
import type { CodeKey } from './view.js';

const TO_FILL: CodeKey = { query: 'key=YOUR_KEY', isSigned: false };

/** How long signed URLs are valid. */
const SPANS = { '1h': '1 hour', '1d': '1 day', '30d': '30 days' };
/** The rights that a key in a page may have: with others, every visitor could write. */
const HARMLESS = ['read', 'queries'];

/** Whether a key may be in the code of a page: it only reads, and is made for pages. */
export const isForPages = ({ key, rights, origins }: Access) =>
  key !== null && key !== 'anonymous' && rights.length > 0 && rights.every((right) => HARMLESS.includes(right)) && origins.length > 0;

/** The choice of what the code sends: a key that the reader fills in, that of the visitor, or a signature. */
export class CodeAccess {
  private readonly select = make('select');
  private readonly note = make('p', 'quiet');
  private readonly usual: string;
  private layer = '';
  private current: CodeKey = TO_FILL;
  /** What the note says of the signature. */
  private until = '';
  private generation = 0;

  /** `before` is the element that the choice precedes. */
  constructor(private readonly access: Access, before: Element, private readonly changed: () => void) {
    const { key, origins } = access;
    const field = make('label', 'field');
    this.select.id = 'code-key';
    this.note.id = 'code-note';
    this.note.setAttribute('role', 'status');
    this.select.setAttribute('aria-describedby', this.note.id);
    field.append(make('span', '', 'Access'), this.select);
    this.usual = isForPages(access) ? 'own' : 'fill';
    this.select.addEventListener('change', () => void this.choose(this.select.value));
    before.before(field, this.note);
    this.places = origins.join(', ').replace('*', 'all pages');
    this.own = key ?? '';
  }

  private readonly places: string;
  private readonly own: string;

  /** Returns what the code of a layer sends. Another layer needs another signature, which the visitor asks for. */
  keyFor(layer: string): CodeKey {
    if (layer !== this.layer) {
      this.layer = layer;
      this.list();
      void this.choose(this.usual, false);
    }
    return this.current;
  }

  private list(): void {
    const choices: HTMLElement[] = [option('fill', 'a key that you fill in')];
    if (this.usual === 'own') choices.push(option('own', `the key ${this.own}`));
    for (const { key, layers } of this.access.signers) {
      if (layers.length && !layers.includes(this.layer)) continue;
      const group = make('optgroup');
      group.label = `Signed URL as ${key}`;
      group.append(...Object.entries(SPANS).map(([span, text]) => option(JSON.stringify([key, span]), `signed for ${text}`)));
      choices.push(group);
    }
    this.select.replaceChildren(...choices);
  }

  private async choose(value: string, isNew = true): Promise<void> {
    const generation = ++this.generation;
    this.select.value = value;
    this.current = TO_FILL;
    let problem = '';
    if (value === 'own') this.current = { query: String(new URLSearchParams({ key: token() })), isSigned: false };
    else if (value !== 'fill') {
      this.note.textContent = 'Signing …';
      const [key, span] = JSON.parse(value) as [string, string];
      try {
        const reply = await sign(this.layer, key, span);
        if (generation !== this.generation) return;
        this.until = new Date(1000 * reply.expires_at).toLocaleString('en', { dateStyle: 'medium', timeStyle: 'short' });
        this.current = { query: reply.query, isSigned: true };
      } catch (error) {
        if (generation !== this.generation) return;
        this.select.value = 'fill';
        problem = error instanceof KilnError ? sentence(error.message) : 'The signature failed.';
      }
    }
    this.note.textContent = problem || this.text(this.select.value);
    this.note.classList.toggle('error', problem !== '');
    if (isNew) this.changed();
  }

  private text(value: string): string {
    if (value === 'fill') return 'The code has no key. Put one in place of YOUR_KEY, for curl in the variable KILN_KEY. Everybody who sees a page can use its key: take one that only reads and is limited to your pages.';
    if (value === 'own') return `The code has the key ${this.own}, which browsers can use on ${this.places} only. Everybody who sees the code can read its layers.`;
    return `Everybody who has the code can read this layer as the key ${JSON.parse(value)[0]} does, until ${this.until}.`;
  }
}

/** Signs the URLs of a layer. */
const sign = (layer: string, key: string, span: string) =>
  fetchJson<{ query: string; expires_at: number }>(`${BASE}/sign`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ key, prefix: `/${layer}`, expires_in: span }),
  });
