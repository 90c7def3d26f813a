import { byId } from './dom.js';

type Theme = 'auto' | 'light' | 'dark';
const NEXT: Record<Theme, Theme> = { auto: 'light', light: 'dark', dark: 'auto' };
const SIGN: Record<Theme, string> = { auto: '◐', light: '☀', dark: '☾' };
const NAME: Record<Theme, string> = { auto: 'system', light: 'light', dark: 'dark' };
const KEY = 'kiln.theme';

/** Applies the light or dark theme of the system, or the one chosen by the button, which the browser stores. Calls `changed` after each change. */
export function theme(changed: () => void): void {
  const button = byId('theme');
  let now: Theme = 'auto';
  try {
    const stored = localStorage.getItem(KEY);
    if (stored === 'light' || stored === 'dark') now = stored;
  } catch {
    // Without local storage the theme of the system applies.
  }
  const apply = () => {
    if (now === 'auto') delete document.documentElement.dataset['theme'];
    else document.documentElement.dataset['theme'] = now;
    button.textContent = SIGN[now];
    button.title = `Theme: ${NAME[now]}`;
    button.setAttribute('aria-label', button.title);
  };
  button.addEventListener('click', () => {
    now = NEXT[now];
    try {
      localStorage.setItem(KEY, now);
    } catch {
      // Without local storage the choice applies to this page view only.
    }
    apply();
    changed();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
  apply();
}
