import { byId } from './dom.js';

type Theme = 'auto' | 'light' | 'dark';
const NEXT: Record<Theme, Theme> = { auto: 'light', light: 'dark', dark: 'auto' };
const SIGN: Record<Theme, string> = { auto: '◐', light: '☀', dark: '☾' };
const NAME: Record<Theme, string> = { auto: 'as the system', light: 'light', dark: 'dark' };
const KEY = 'kiln.theme';

/** Light or dark: as the system says, or as the button does, which the browser remembers. Calls `changed` at each change. */
export function theme(changed: () => void): void {
  const button = byId('theme');
  let now: Theme = 'auto';
  try {
    const kept = localStorage.getItem(KEY);
    if (kept === 'light' || kept === 'dark') now = kept;
  } catch {
    // A browser that keeps nothing begins as the system says.
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
      // It holds for this page then.
    }
    apply();
    changed();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', changed);
  apply();
}
