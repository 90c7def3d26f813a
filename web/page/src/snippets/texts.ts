import { curl } from './curl.js';
export { CodeAccess } from './code-access.js';
import { google } from './google.js';
import { leaflet } from './leaflet.js';
import { maplibre } from './maplibre.js';
import { openlayers } from './openlayers.js';
import type { Kind, View } from './view.js';
import { webPage } from './web-page.js';

const TEXTS: Record<Kind, (view: View) => string> = { 'Web page': webPage, Leaflet: leaflet, MapLibre: maplibre, OpenLayers: openlayers, 'Google Maps': google, curl };

/** The snippet of a kind. */
export const textOf = (kind: Kind, view: View) => TEXTS[kind](view);
