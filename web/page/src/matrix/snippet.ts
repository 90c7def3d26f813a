import type { Ramp } from '../floor/ramps.js';

/** The number of colors in the code. */
const COLORS = 9;

/** JavaScript that shows a matrix by Chart.js on another page. `url` is that of the data. */
export function snippetOf(url: string, { css }: Ramp): string {
  const colors = Array.from({ length: COLORS }, (_, i) => css[Math.round((i * (css.length - 1)) / (COLORS - 1))] ?? '#000');
  return [
    "import Chart from 'chart.js/auto';",
    "import { MatrixController, MatrixElement } from 'chartjs-chart-matrix';",
    '',
    'Chart.register(MatrixController, MatrixElement);',
    `const data = await (await fetch('${url.replaceAll("'", '%27')}')).json();`,
    `const colors = ['${colors.slice(0, 5).join("', '")}',`,
    `  '${colors.slice(5).join("', '")}'];`,
    'const share = (value) => (data.max > data.min ? (value - data.min) / (data.max - data.min) : 1);',
    'const side = (pixels, count) => (pixels ?? 0) / count - 1;',
    'Object.assign(data.datasets[0], {',
    '  backgroundColor: ({ raw }) => colors[Math.round(share(raw?.value) * (colors.length - 1))],',
    '  width: ({ chart }) => side(chart.chartArea?.width, data.xLabels.length),',
    '  height: ({ chart }) => side(chart.chartArea?.height, data.yLabels.length),',
    '});',
    "new Chart('matrix', { // the id of a canvas",
    "  type: 'matrix',",
    '  data,',
    '  options: {',
    '    scales: {',
    "      x: { type: 'category', offset: true, grid: { display: false } },",
    "      y: { type: 'category', offset: true, reverse: false, grid: { display: false } },",
    '    },',
    '    plugins: {',
    '      legend: { display: false },',
    '      tooltip: {',
    '        callbacks: {',
    "          title: ([{ raw }]) => `${raw.y}, ${raw.x}`,",
    "          label: ({ raw, dataset }) => [`${raw.value} ${dataset.label}`, `${raw.count} points`],",
    '        },',
    '      },',
    '    },',
    '  },',
    '});',
  ].join('\n');
}
