import { hasHeaders, request } from 'kiln-leaflet';

import { showStatus } from './dom.js';

/** Saves the files of links with the key of the visitor, which the links themselves do not have: they can be copied, and stay in the list of downloads. */
export function sendKeyWithDownloads(): void {
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>('a[download]') : null;
    if (!link || !hasHeaders(link.href)) return;
    event.preventDefault();
    void save(link.href, link.download).catch(({ message }: Error) => showStatus(`${link.textContent} failed to load: ${message}`, true));
  });
}

async function save(url: string, name: string): Promise<void> {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(await (await request(url)).blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
