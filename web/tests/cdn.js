// The hosts that snippets name, without the internet: the CDN from the packages of npm, gray tiles in place of a basemap, and
// a stand-in for Google Maps.
import { existsSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const CDN = 'https://unpkg.com';
const BASEMAP = 'https://tile.openstreetmap.org';
const GOOGLE = 'https://maps.googleapis.com';
export const HOSTS = [CDN, BASEMAP, GOOGLE];
const TYPES = { '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css', '.png': 'image/png' };
/** A gray pixel. */
const GRAY = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGO4CwAA3wDeKXlwtgAAAABJRU5ErkJggg==', 'base64');
const CORS = { 'access-control-allow-origin': '*' };

/** The file of `NAME@VERSION/PATH` in node_modules, which must have that version. */
export function fileOf(path) {
  const [, name, version, file] = /^\/?((?:@[^/]+\/)?[^@/]+)@([^/]+)\/(.+)$/.exec(path) ?? [];
  const folder = here(`../node_modules/${name}`);
  if (!existsSync(`${folder}/package.json`)) throw new Error(`${name} is not a package of web/package.json: ${path}`);
  const installed = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8')).version;
  if (installed !== version) throw new Error(`${path}: version ${installed} is installed`);
  return `${folder}/${file}`;
}

/** Answers the requests of a page to `HOSTS`. */
export async function withoutInternet(page) {
  await page.route(`${CDN}/**`, (route) => {
    const file = fileOf(new URL(route.request().url()).pathname);
    if (!existsSync(file)) return route.fulfill({ status: 404, headers: CORS });
    return route.fulfill({ contentType: TYPES[extname(file)] ?? 'application/octet-stream', headers: CORS, body: readFileSync(file) });
  });
  await page.route(`${BASEMAP}/**`, async (route) => {
    // The usage policy of the tile server: no requests without a referrer, such as those of a file.
    const { referer } = await route.request().allHeaders();
    return referer ? route.fulfill({ contentType: TYPES['.png'], headers: CORS, body: GRAY }) : route.fulfill({ status: 403 });
  });
  await page.route(`${GOOGLE}/**`, (route) => {
    const query = new URL(route.request().url()).searchParams;
    // A name such as `start` or `google.maps.__ib__`.
    const callback = query.get('callback');
    const body = `${readFileSync(here('google-maps.js'), 'utf8')}\n${callback ? `${callback}();` : ''}`;
    return query.get('key') ? route.fulfill({ contentType: TYPES['.js'], body }) : route.fulfill({ status: 400 });
  });
}
