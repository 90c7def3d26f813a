/** A file of a library on the CDN, with the hash of its content. */
interface File {
  path: string;
  integrity: string;
}

const CDN = 'https://unpkg.com/';

/** The files of the snippets. `tests/snippets.test.js` compares the hashes with the packages of npm. */
export const LEAFLET_CSS: File = { path: 'leaflet@1.9.4/dist/leaflet.css', integrity: 'sha256-p4NxAoJBhIIN+hmNHrzRCf9tD/miZyoHS5obTRR9BMY=' };
export const LEAFLET: File = { path: 'leaflet@1.9.4/dist/leaflet.js', integrity: 'sha256-20nQCchB9co0qIjJZRGuk2/Z9VM+kNiyxNV1lvTlZBo=' };
export const TOPOJSON: File = { path: 'topojson-client@3.1.0/dist/topojson-client.min.js', integrity: 'sha256-Jc0CrkhsxQY+AhWk5M+xXeg3AMh6xIusTVfcaq8+u4k=' };
export const MAPLIBRE_CSS: File = { path: 'maplibre-gl@6.17.0/dist/maplibre-gl.css', integrity: 'sha256-qQeYoZUwF3kOWQ9+G9Nf8QOopCY5cstHKQt4rfhvjCA=' };
export const MAPLIBRE: File = { path: 'maplibre-gl@6.17.0/dist/maplibre-gl.mjs', integrity: 'sha256-4CywjFcv0JUKdTQ81VgJnCodu69n8msMlvEVQxli0a4=' };
export const OPENLAYERS_CSS: File = { path: 'ol@10.11.0/ol.css', integrity: 'sha256-q8iv1yzBC9KcwUP0Q7rkpoBL08s/smLmtqa8bJJOo08=' };
export const OPENLAYERS: File = { path: 'ol@10.11.0/dist/ol.js', integrity: 'sha256-pOYH6YtWhG1UPiExFhcghFx6gBcNXwCqK8i2xOD5GUo=' };

const urlOf = ({ path }: File) => CDN + path;

const style = (file: File) => `<link rel="stylesheet" href="${urlOf(file)}" integrity="${file.integrity}" crossorigin="">`;
const script = (file: File) => `<script src="${urlOf(file)}" integrity="${file.integrity}" crossorigin=""></script>`;

/** The elements that load style sheets and scripts. */
export const elementsOf = (...files: File[]) => files.map((file) => (file.path.endsWith('.css') ? style(file) : script(file)));

/** An import map by which a script imports a module by its name. */
export const importMap = (name: string, file: File) =>
  `<script type="importmap">{"imports": {"${name}": "${urlOf(file)}"}, "integrity": {"${urlOf(file)}": "${file.integrity}"}}</script>`;
