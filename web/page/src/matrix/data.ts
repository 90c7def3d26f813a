import { fetchJson } from 'kiln-leaflet';

import { BASE } from '../catalog.js';
import { points } from '../dom.js';

/** The value of an axis: a number of a part of time, a name, a date, or the edges of a bin as `low..high`. */
export type Key = number | string;

/** The lower and the upper edge of a bin. */
type Bin = [number, number];

/** An axis in the response of the server. */
export interface AxisData {
  axis: string;
  title: string;
  labels: string[];
  keys: Key[];
  /** The bins of a numeric axis. Null: it has none. */
  bins: Bin[] | null;
}

/** The response of `/{layer}/matrix?format=json`. */
export interface Matrix {
  x: AxisData;
  y: AxisData;
  /** By row and column. Null: no points. */
  values: (number | null)[][];
  counts: (number | null)[][];
  min: number | null;
  max: number | null;
  agg: string;
  value?: string | null;
  unit: string;
  tz: string;
  /** The number of points in cells. */
  total: number;
  /** The number of points that have no value on an axis. */
  unplaced: number;
  /** The axes that the layer has. */
  axes: string[];
  /** The columns with numbers. */
  numbers: string[];
}

/** A cell in the data of the chart. */
export interface ChartCell {
  x: string;
  y: string;
  value: number;
  count: number;
}

/** The response of `/{layer}/matrix?format=chartjs`: the `data` of a chart of Chart.js. */
export interface ChartData {
  labels: { x: string[]; y: string[] };
  xLabels: string[];
  yLabels: string[];
  datasets: { label: string; data: ChartCell[] }[];
  min: number | null;
  max: number | null;
}

/** An axis as the server writes it. */
type AxisReply = Omit<AxisData, 'keys' | 'bins'> & { keys: (Key | Bin)[] };

function axisOf({ axis, title, labels, keys }: AxisReply): AxisData {
  const bins = keys.filter((key) => Array.isArray(key));
  const texts = keys.map((key) => (Array.isArray(key) ? key.join('..') : key));
  return { axis, title, labels, keys: texts, bins: bins.length ? bins : null };
}

/** The URL of a matrix in a format. */
export function matrixUrl(layer: string, query: URLSearchParams, format: string, more: Record<string, string> = {}): string {
  const parameters = new URLSearchParams(query);
  for (const [name, value] of Object.entries({ ...more, format })) parameters.set(name, value);
  return `${BASE}/${encodeURIComponent(layer)}/matrix?${parameters}`.replaceAll('%2C', ',').replaceAll('%2F', '/').replaceAll('%3A', ':');
}

/** Requests a matrix, and the same as the data of a chart. */
export async function fetchMatrix(layer: string, query: URLSearchParams, signal: AbortSignal): Promise<{ matrix: Matrix; data: ChartData }> {
  const [matrix, data] = await Promise.all([
    fetchJson<Matrix & { x: AxisReply; y: AxisReply }>(matrixUrl(layer, query, 'json'), { signal }),
    fetchJson<ChartData>(matrixUrl(layer, query, 'chartjs'), { signal }),
  ]);
  return { matrix: { ...matrix, x: axisOf(matrix.x), y: axisOf(matrix.y) }, data };
}

/** Formats a value with up to 5 significant digits. */
export const amount = (value: number) => value.toLocaleString('en', { maximumSignificantDigits: 5 }).replace('-', '−');

/** A value and the number of its points, such as `12.5 mean of delay` and `3 points`. */
export function cellTexts({ unit, agg }: Matrix, value: number, count: number): string[] {
  return [...(agg === 'count' ? [] : [`${amount(value)} ${unit}`]), points(count)];
}
