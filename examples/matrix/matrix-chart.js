// Draws the response of `format=chartjs` with Chart.js and its matrix plugin.
import { CategoryScale, Chart, LinearScale, Tooltip } from 'https://cdn.jsdelivr.net/npm/chart.js@4.6.1/+esm';
import { MatrixController, MatrixElement } from 'https://cdn.jsdelivr.net/npm/chartjs-chart-matrix@3.1.0/+esm';

Chart.register(CategoryScale, LinearScale, MatrixController, MatrixElement, Tooltip);

/** The server: `kiln serve` on this machine, or the one in `?server=`. */
export const server = new URLSearchParams(location.search).get('server') ?? 'http://127.0.0.1:3000';

/** Returns the JSON of a response, or throws an error with the reason of the server. */
export async function json(request, options) {
  const response = await fetch(request, options);
  const body = await response.json();
  if (!response.ok) throw new Error(body.detail ?? response.statusText);
  return body;
}

/** The color of a value: from pale yellow to dark red. */
function color(value, min, max) {
  const share = max > min ? (value - min) / (max - min) : 1;
  return `hsl(${50 - 50 * share} 90% ${92 - 58 * share}%)`;
}

/** Draws `data`, in place of the chart that the canvas has. `unit` follows the values in the tooltips. */
export function drawMatrix(canvas, data, unit = '') {
  Chart.getChart(canvas)?.destroy();
  const { x: columns, y: rows } = data.labels;
  const side = (length, count) => Math.max(length / count - 1, 1);
  data.datasets[0] = {
    ...data.datasets[0],
    backgroundColor: ({ raw }) => (raw ? color(raw.value, data.min, data.max) : 'transparent'),
    width: ({ chart }) => side(chart.chartArea?.width ?? 0, columns.length),
    height: ({ chart }) => side(chart.chartArea?.height ?? 0, rows.length),
  };
  return new Chart(canvas, {
    type: 'matrix',
    data,
    options: {
      scales: {
        x: { type: 'category', labels: columns, offset: true, grid: { display: false } },
        // Without `reverse` the plugin lists rows from the bottom.
        y: { type: 'category', labels: rows, offset: true, reverse: false, grid: { display: false } },
      },
      plugins: {
        tooltip: {
          callbacks: {
            title: () => '',
            label: ({ raw }) => `${raw.y}, ${raw.x}: ${raw.value.toLocaleString('en')} ${unit}`,
          },
        },
      },
    },
  });
}
