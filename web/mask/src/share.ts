import { byId } from '../../page/src/dom.js';

const HEIGHT_PX = 480;

/** Updates the link to the current picture and the code for embedding. */
export function showLinks(pictureUrl: string, fragment: URLSearchParams, aspect: number): void {
  byId<HTMLAnchorElement>('png').href = pictureUrl;
  const url = `${location.origin}${location.pathname}${fragment.size ? `#${fragment}` : ''}`;
  const width = Math.round(Math.min(Math.max(HEIGHT_PX * aspect, 320), 960));
  byId('snippet').textContent =
    `<iframe src="${url.replaceAll('&', '&amp;')}" width="${width}" height="${HEIGHT_PX}" title="Heat map" style="border: 0"></iframe>`;
}

/** Copies the code, or selects it if the page cannot write to the clipboard. */
export async function copySnippet(): Promise<void> {
  const code = byId('snippet');
  try {
    await navigator.clipboard.writeText(code.textContent ?? '');
    byId('copy').textContent = 'Copied';
    setTimeout(() => (byId('copy').textContent = 'Copy'), 2000);
  } catch {
    getSelection()?.selectAllChildren(code);
  }
}
