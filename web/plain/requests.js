// Requests of the plain pages, with the key of the visitor.

import { hasKey, headers } from './key.js';

/** Sends a request, and returns the response. A problem (RFC 9457) is thrown as an error with its detail and status. */
export async function request(url, options = {}) {
  const response = await fetch(url, { ...options, headers: { ...options.headers, ...headers() } }).catch((error) => {
    throw error.name === 'AbortError' ? error : new Error('The server cannot be reached.');
  });
  if (response.ok) return response;
  const type = response.headers.get('content-type') ?? '';
  const problem = type.startsWith('application/problem+json') ? await response.json() : {};
  const title = problem.title ?? `The server returned status ${response.status} ${response.statusText}`.trim();
  throw Object.assign(new Error(problem.detail ?? title), { status: response.status });
}

/** Sends a request, and returns its JSON. */
export const fetchJson = async (url, options) => (await request(url, options)).json();

/** The URL of a picture: itself, or of a blob, which is loaded with the key. */
async function sourceOf(url) {
  return hasKey() ? URL.createObjectURL(await (await request(url)).blob()) : url;
}

/** Shows a picture in an image. The blob of one with a key is released afterwards. */
export async function showPicture(image, url) {
  const source = await sourceOf(url);
  const release = () => source === url || URL.revokeObjectURL(source);
  for (const event of ['load', 'error']) image.addEventListener(event, release, { once: true });
  image.src = source;
}

/** Saves the file of a link that the visitor has clicked, which needs the key. Without one the browser follows the link. */
export function saveWithKey(event, name, failed) {
  if (!hasKey()) return;
  event.preventDefault();
  const save = async (url) => {
    const link = Object.assign(document.createElement('a'), { href: await sourceOf(url), download: name });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  };
  save(event.currentTarget.href).catch(failed);
}
