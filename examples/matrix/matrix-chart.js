// Draws the response of `format=chartjs` with Chart.js and its matrix plugin.
const CDN = 'https://cdn.jsdelivr.net/npm';
const [{ CategoryScale, Chart, LinearScale, Tooltip }, { MatrixController, MatrixElement }] = await Promise.all([
  import(`${CDN}/chart.js@4.6.1/+esm`),
  import(`${CDN}/chartjs-chart-matrix@3.1.0/+esm`),
]).catch(() => {
  throw new Error(`Chart.js failed to load from ${CDN}.`);
});

Chart.register(CategoryScale, LinearScale, MatrixController, MatrixElement, Tooltip);

/** Colors from the lowest to the highest value. */
export const YELLOW_RED = ['#ffffcc', '#fed976', '#fd8d3c', '#e31a1c', '#800026'];
export const BLUE_RED = ['#3b4cc0', '#8db0fe', '#dddcdc', '#f49a7b', '#b40426'];

/** The color at a share from 0 to 1. */
function colorAt(colors, share) {
  const at = share * (colors.length - 1);
  const [low, high] = [Math.floor(at), Math.ceil(at)].map((i) => [1, 3, 5].map((start) => parseInt(colors[i].slice(start, start + 2), 16)));
  return `rgb(${low.map((part, i) => Math.round(part + (high[i] - part) * (at - Math.floor(at)))).join(' ')})`;
}

/** Stripes behind the cells, which are visible where no value is. */
const stripes = {
  id: 'stripes',
  beforeDatasetsDraw({ ctx, chartArea: { left, top, width, height } }) {
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    ctx.clip();
    ctx.beginPath();
    for (let x = left - height; x < left + width; x += 7) {
      ctx.moveTo(x, top + height);
      ctx.lineTo(x + height, top);
    }
    ctx.strokeStyle = '#c4c8ce';
    ctx.stroke();
    ctx.restore();
  },
};

const number = (value) => value.toLocaleString('en', { maximumFractionDigits: 1 });

/** Shows the colors below the chart, with the lowest and the highest value. */
function showLegend(canvas, { min, max }, { unit, colors }) {
  const legend = canvas.parentElement.querySelector('.legend') ?? document.createElement('p');
  legend.className = 'legend';
  const [low, bar, high, none, label] = Array.from({ length: 5 }, () => document.createElement('span'));
  const box = 'display: inline-block; height: 0.8em; margin: 0 0.5em; border: 1px solid #c4c8ce;';
  bar.style = `${box} width: 12em; background: linear-gradient(to right, ${colors.join(', ')})`;
  none.style = `${box} width: 1.4em; margin-left: 1.5em; background: repeating-linear-gradient(135deg, #c4c8ce 0 1px, #fff 1px 5px)`;
  [low.textContent, high.textContent, label.textContent] = [min === null ? '' : number(min), max === null ? '' : `${number(max)} ${unit}`, 'no value'];
  legend.replaceChildren(low, bar, high, none, label);
  canvas.after(legend);
}

/** Draws `data`, in place of the chart that the canvas has. `unit` follows the values. */
export function drawMatrix(canvas, data, { unit = '', colors = YELLOW_RED } = {}) {
  Chart.getChart(canvas)?.destroy();
  const { min, max, labels: { x: columns, y: rows } } = data;
  const side = (length, count) => Math.max(length / count - 1, 1);
  const share = (value) => (max > min ? (value - min) / (max - min) : 1);
  data.datasets[0] = {
    ...data.datasets[0],
    backgroundColor: ({ raw }) => (raw ? colorAt(colors, share(raw.value)) : 'transparent'),
    width: ({ chart }) => side(chart.chartArea?.width ?? 0, columns.length),
    height: ({ chart }) => side(chart.chartArea?.height ?? 0, rows.length),
  };
  showLegend(canvas, data, { unit, colors });
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
            label: ({ raw }) => `${raw.y}, ${raw.x}: ${number(raw.value)} ${unit}`,
          },
        },
      },
    },
    plugins: [stripes],
  });
}
