import { matrixPage } from './catalog.js';
import { PARTS, textOf, type TimeParts } from './time-parts.js';
import { localText } from './zones.js';

/** The filters of a map, and its view; a plane has none. */
interface Linked extends TimeParts {
  layer: string;
  zone: string;
  time: [number, number] | null;
  categories: string[];
  zoom: number;
  lat?: number;
  lng?: number;
}

/** The URL of the page of a layer's matrix, with the filters and the view of the map, and its statistic and scheme where these are chosen. */
export function matrixUrl(state: Linked, look: { agg?: string; scheme?: string } = {}): string {
  const { zone, time, categories, zoom, lat, lng } = state;
  const parameters = new URLSearchParams({ zone });
  if (lat !== undefined && lng !== undefined) parameters.set('at', [zoom, Number(lat.toFixed(4)), Number(lng.toFixed(4))].join('/'));
  if (time) {
    parameters.set('start', localText(time[0], zone));
    parameters.set('end', localText(time[1], zone));
  }
  for (const [name, value] of Object.entries(look)) parameters.set(name, value);
  for (const part of PARTS) if (state[part].length) parameters.set(part, textOf(part, state[part]));
  if (categories.length) parameters.set('categories', JSON.stringify(categories));
  return `${matrixPage(state.layer)}#${parameters}`.replaceAll('%2F', '/').replaceAll('%3A', ':');
}
