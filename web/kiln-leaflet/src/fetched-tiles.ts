import L from 'leaflet';

import { request } from '../../kiln-client/src/client.js';

/** The URLs of the tiles on the map; the images have those of blobs. */
const urls = new WeakMap<HTMLImageElement, string>();

/** What cancels the requests of the tiles on the map. */
const requests = new WeakMap<HTMLElement, AbortController>();

/** Tiles that are loaded by `fetch`, with the headers of the other requests. */
export class FetchedTiles extends L.TileLayer {
  override onAdd(map: L.Map): this {
    const cancel = ({ tile }: { tile?: HTMLElement }): void => requests.get(tile ?? document.body)?.abort();
    this.on('tileunload', cancel as L.LeafletEventHandlerFn);
    this.on('tileabort', cancel as L.LeafletEventHandlerFn);
    return super.onAdd(map);
  }

  protected override createTile(coords: L.Coords, done: L.DoneCallback): HTMLImageElement {
    const image = document.createElement('img');
    image.alt = '';
    image.addEventListener('load', () => done(undefined, image));
    image.addEventListener('error', () => done(new Error('The picture cannot be decoded.'), image));
    urls.set(image, this.getTileUrl(coords));
    void load(image);
    return image;
  }
}

/** The URL of a tile. */
export const urlOfTile = (image: HTMLImageElement) => urls.get(image) ?? image.src;

/** Loads a tile again. Leaflet listens to the events of the image. */
export function reload(image: HTMLImageElement): void {
  if (urls.has(image)) void load(image);
  else image.src = image.src;
}

async function load(image: HTMLImageElement): Promise<void> {
  const { signal } = requests.set(image, new AbortController()).get(image)!;
  try {
    const blob = URL.createObjectURL(await (await request(urlOfTile(image), { signal })).blob());
    const release = () => URL.revokeObjectURL(blob);
    image.addEventListener('load', release, { once: true });
    image.addEventListener('error', release, { once: true });
    image.src = blob;
  } catch {
    // A tile that has left the map has not failed.
    if (!signal.aborted) image.dispatchEvent(new Event('error'));
  }
}
