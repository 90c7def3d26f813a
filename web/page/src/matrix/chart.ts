import { CategoryScale, Chart, Tooltip, type ChartConfiguration, type Plugin, type TooltipItem } from 'chart.js';
import { MatrixController, MatrixElement } from 'chartjs-chart-matrix';

import { byId } from '../dom.js';
import { cellTexts, type ChartCell, type ChartData, type Matrix } from './data.js';
import { formatsOf, type NumberFormat } from './number-format.js';
import { indicesOf, isEmpty, NOTHING, runs, type Range, type Selection } from './selection.js';
import type { CellScale } from './scale.js';

Chart.register(CategoryScale, MatrixController, MatrixElement, Tooltip);

type MatrixChartType = Chart<'matrix', ChartCell[], string>;

/** The minimum size of a cell in pixels. A chart with more cells than fit scrolls. */
const MIN_CELL = { width: 7, height: 6 };
/** The maximum height of a row. */
const MAX_ROW = 90;
/** About the space of labels and titles around the cells. */
const LABELS = { width: 90, height: 64, rotated: 56 };
/** The maximum length of labels that are never rotated. */
const LEVEL_LABEL = 4;
/** Cells smaller than this have no gap between them. */
const GAP_FROM = 9;
/** The sizes of values in cells, and the space around them. */
const FONTS_PX = [12, 10, 9];
const TEXT_PADDING = 3;

const color = (name: string) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/** A cell by the indices of its column and row. */
export interface Place {
  column: number;
  row: number;
}

/** The chart of a matrix. It draws cells, their values and the selection. */
export class MatrixChart {
  private readonly canvas = byId<HTMLCanvasElement>('chart');
  private readonly axis = byId<HTMLCanvasElement>('chart-axis');
  private chart: MatrixChartType | null = null;
  private shown: { matrix: Matrix; data: ChartData; scale: CellScale } | null = null;
  private selection: Selection = NOTHING;
  /** The rectangle that is being dragged. */
  private draft: [Range, Range] | null = null;
  private cursor: Place | null = null;
  /** The font and the format of the values in the cells. Null: they do not fit. */
  private text: { font: string; format: NumberFormat } | null = null;

  /** Shows a matrix. `data` is the response of the server for Chart.js. */
  show(matrix: Matrix, data: ChartData, scale: CellScale, selection: Selection): void {
    this.shown = { matrix, data, scale };
    this.selection = selection;
    this.cursor = null;
    const box = byId('chart-box');
    const [columns, rows] = [data.xLabels.length, data.yLabels.length];
    const below = LABELS.height + (data.xLabels.some(({ length }) => length > LEVEL_LABEL) ? LABELS.rotated : 0);
    box.style.minWidth = `${columns * MIN_CELL.width + LABELS.width}px`;
    box.style.minHeight = `${rows * MIN_CELL.height + below}px`;
    box.style.maxHeight = `${rows * MAX_ROW + below}px`;
    // A chart that is updated would animate from one set of labels to another.
    this.chart?.destroy();
    this.chart = new Chart<'matrix', ChartCell[], string>(this.canvas, this.configuration(matrix, data, scale));
  }

  hide(): void {
    this.chart?.destroy();
    this.chart = this.shown = null;
  }

  setSelection(selection: Selection): void {
    this.selection = selection;
    this.draft = null;
    this.chart?.draw();
  }

  /** Shows the rectangle that is being dragged. */
  setDraft(columns: Range, rows: Range): void {
    this.draft = [columns, rows];
    this.chart?.draw();
  }

  /** Moves the cursor of the keyboard, and shows the tooltip of its cell. */
  setCursor(place: Place | null): void {
    this.cursor = place;
    const { chart, shown } = this;
    if (!chart || !shown) return;
    const [x, y] = place ? [shown.data.xLabels[place.column], shown.data.yLabels[place.row]] : [];
    const index = place ? shown.data.datasets[0]!.data.findIndex((cell) => cell.x === x && cell.y === y) : -1;
    chart.tooltip?.setActiveElements(index < 0 ? [] : [{ datasetIndex: 0, index }], { x: 0, y: 0 });
    chart.draw();
  }

  /** The cell at a position in the canvas. Beside the cells, at the labels, the row or the column alone. Null: neither. */
  placeAt(x: number, y: number): { column: number | null; row: number | null } | null {
    if (!this.chart || !this.shown) return null;
    const { left, right, top, bottom } = this.chart.chartArea;
    const { xLabels, yLabels } = this.shown.data;
    const index = (share: number, count: number) => Math.min(Math.max(Math.floor(share * count), 0), count - 1);
    const column = x >= left && x <= right ? index((x - left) / (right - left), xLabels.length) : null;
    const row = y >= top && y <= bottom ? index((y - top) / (bottom - top), yLabels.length) : null;
    if (column === null && row === null) return null;
    return x > right || y < top ? null : { column, row };
  }

  private configuration(matrix: Matrix, data: ChartData, scale: CellScale): ChartConfiguration<'matrix', ChartCell[], string> {
    const [columns, rows] = [data.xLabels.length, data.yLabels.length];
    const fill = ({ raw }: { raw: unknown }) => scale.color((raw as ChartCell | undefined)?.value ?? 0);
    const gap = (side: number) => (side > GAP_FROM ? side - 1 : side);
    const axis = (title: string, labels: string[], autoSkipPadding: number) => ({
      type: 'category' as const,
      offset: true,
      grid: { display: false },
      border: { display: false },
      title: { display: title !== '', text: title, color: color('--quiet') },
      ticks: { color: color('--ink'), maxRotation: labels.some(({ length }) => length > LEVEL_LABEL) ? 60 : 0, autoSkipPadding, callback(_: unknown, i: number) {
        return short(labels[i] ?? '');
      } },
    });
    return {
      type: 'matrix',
      data: data as never,
      options: {
        animation: false,
        maintainAspectRatio: false,
        datasets: {
          matrix: {
            backgroundColor: fill,
            hoverBackgroundColor: fill,
            borderWidth: 0,
            width: ({ chart }) => gap((chart.chartArea?.width ?? 0) / columns),
            height: ({ chart }) => gap((chart.chartArea?.height ?? 0) / rows),
          },
        },
        layout: { padding: { top: 4, right: 6 } },
        scales: { x: axis(matrix.x.title, data.xLabels, 6), y: { ...axis(matrix.y.title, data.yLabels, 1), reverse: false } },
        plugins: {
          tooltip: {
            displayColors: false,
            backgroundColor: color('--ink'),
            titleColor: color('--solid'),
            bodyColor: color('--solid'),
            callbacks: {
              title: ([item]: TooltipItem<'matrix'>[]) => (item ? nameOf(matrix, item.raw as unknown as ChartCell) : ''),
              label: ({ raw }) => {
                const { value, count } = raw as unknown as ChartCell;
                return cellTexts(matrix, value, count);
              },
            },
          },
        },
      },
      plugins: [this.painter()],
    };
  }

  /** Draws what is below and above the cells. */
  private painter(): Plugin<'matrix'> {
    return {
      id: 'kiln',
      // It draws before its constructor returns.
      beforeInit: (chart) => {
        this.chart = chart as unknown as MatrixChartType;
      },
      afterLayout: () => this.chooseText(),
      beforeDatasetsDraw: ({ ctx, chartArea: { left, top, width, height } }) => {
        // Visible where cells are missing.
        ctx.fillStyle = hatch(ctx);
        ctx.fillRect(left, top, width, height);
        // The gaps between cells do not show the pattern.
        const { w, h } = this.area;
        ctx.fillStyle = color('--solid');
        for (const element of this.chart!.getDatasetMeta(0).data) {
          const { x, y } = (element as MatrixElement).getCenterPoint();
          ctx.fillRect(x - w / 2 - 0.5, y - h / 2 - 0.5, w + 1, h + 1);
        }
      },
      afterDatasetsDraw: ({ ctx }) => {
        this.drawValues(ctx);
        this.drawSelection(ctx);
        this.drawCursor(ctx);
      },
      afterDraw: () => this.repeatAxis(),
    };
  }

  private get area() {
    const { left, top, width, height } = this.chart!.chartArea;
    const { xLabels, yLabels } = this.shown!.data;
    const [w, h] = [width / xLabels.length, height / yLabels.length];
    return { left, top, width, height, w, h };
  }

  /** Chooses the best format, and for it the largest font, in which all values fit into their cells. */
  private chooseText(): void {
    this.text = null;
    if (!this.chart || !this.shown) return;
    const { w, h } = this.area;
    const { ctx } = this.chart;
    const values = this.shown.data.datasets[0]!.data.map(({ value }) => value);
    for (const format of formatsOf(values)) {
      const texts = [...new Set(values.map(format))];
      for (const size of FONTS_PX) {
        if (h < size + 2 * TEXT_PADDING) continue;
        const font = `${size}px system-ui, sans-serif`;
        ctx.save();
        ctx.font = font;
        const widest = texts.reduce((width, text) => Math.max(width, ctx.measureText(text).width), 0);
        ctx.restore();
        if (widest + 2 * TEXT_PADDING > w) continue;
        this.text = { font, format };
        return;
      }
    }
  }

  private drawValues(ctx: CanvasRenderingContext2D): void {
    const { chart, shown, text } = this;
    if (!text || !chart || !shown) return;
    ctx.save();
    ctx.font = text.font;
    ctx.textAlign = 'center';
    ctx.textBaseline = 'middle';
    const cells = shown.data.datasets[0]!.data;
    chart.getDatasetMeta(0).data.forEach((element, i) => {
      const { value } = cells[i]!;
      const { x, y } = (element as MatrixElement).getCenterPoint();
      ctx.fillStyle = shown.scale.textColor(value);
      ctx.fillText(text.format(value), x, y + 0.5);
    });
    ctx.restore();
  }

  /** Veils cells that are not selected, and outlines the selected ones. */
  private drawSelection(ctx: CanvasRenderingContext2D): void {
    if (!this.shown || (!this.draft && isEmpty(this.selection))) return;
    const { x, y } = this.shown.matrix;
    const { left, top, width, height, w, h } = this.area;
    const all = (count: number): [number, number][] => [[0, count - 1]];
    const ranges = (range: Range, count: number): [number, number][] => (range ? [[Math.min(...range), Math.max(...range)]] : all(count));
    const [columns, rows] = this.draft
      ? [ranges(this.draft[0], x.keys.length), ranges(this.draft[1], y.keys.length)]
      : [
          runs(indicesOf(x, this.selection.columns) ?? x.keys.map((_, i) => i)),
          runs(indicesOf(y, this.selection.rows) ?? y.keys.map((_, i) => i)),
        ];
    const boxes = columns.flatMap(([c0, c1]) => rows.map(([r0, r1]) => [left + c0 * w, top + r0 * h, (c1 - c0 + 1) * w, (r1 - r0 + 1) * h] as const));
    ctx.save();
    ctx.beginPath();
    ctx.rect(left, top, width, height);
    for (const box of boxes) ctx.rect(...box);
    ctx.fillStyle = color('--solid');
    ctx.globalAlpha = 0.68;
    ctx.fill('evenodd');
    ctx.globalAlpha = 1;
    ctx.strokeStyle = color('--accent');
    ctx.lineWidth = 2;
    for (const [x0, y0, boxWidth, boxHeight] of boxes) ctx.strokeRect(x0, y0, boxWidth, boxHeight);
    ctx.restore();
  }

  /** Repeats the labels of the columns at the lower edge of a chart that scrolls. */
  private repeatAxis(): void {
    const { canvas, axis, chart } = this;
    const frame = byId('chart-frame');
    axis.hidden = !chart || frame.scrollHeight <= frame.clientHeight + 1;
    if (axis.hidden || !chart) return;
    const [ratio, height] = [chart.currentDevicePixelRatio, chart.height - chart.chartArea.bottom];
    Object.assign(axis, { width: canvas.width, height: Math.round(height * ratio) });
    Object.assign(axis.style, { width: `${chart.width}px`, height: `${height}px`, marginTop: `${-height}px` });
    axis.getContext('2d')?.drawImage(canvas, 0, canvas.height - axis.height, axis.width, axis.height, 0, 0, axis.width, axis.height);
  }

  private drawCursor(ctx: CanvasRenderingContext2D): void {
    if (!this.cursor) return;
    const { left, top, w, h } = this.area;
    ctx.save();
    ctx.lineWidth = 3;
    ctx.strokeStyle = color('--solid');
    const box = [left + this.cursor.column * w + 1, top + this.cursor.row * h + 1, w - 2, h - 2] as const;
    ctx.strokeRect(...box);
    ctx.lineWidth = 2;
    ctx.setLineDash([4, 3]);
    ctx.strokeStyle = color('--ink');
    ctx.strokeRect(...box);
    ctx.restore();
  }
}

/** The name of a cell, such as `weekday Mon, hour 7`. */
export function nameOf({ x, y }: Matrix, { x: column, y: row }: { x: string; y: string }): string {
  return [y.axis === 'none' ? '' : `${y.title} ${row}`, x.axis === 'none' ? '' : `${x.title} ${column}`].filter(Boolean).join(', ');
}

/** A label of an axis, cut to a length that leaves space for the cells. */
const short = (label: string) => (label.length > 22 ? `${[...label].slice(0, 21).join('')}…` : label);

/** The pattern of missing cells. */
function hatch(ctx: CanvasRenderingContext2D): CanvasPattern | string {
  const tile = document.createElement('canvas');
  tile.width = tile.height = 8;
  const pen = tile.getContext('2d');
  if (!pen) return color('--fill');
  pen.fillStyle = color('--solid');
  pen.fillRect(0, 0, 8, 8);
  pen.strokeStyle = color('--line');
  pen.lineWidth = 1;
  pen.beginPath();
  for (const at of [-8, 0, 8]) {
    pen.moveTo(at, 8);
    pen.lineTo(at + 8, 0);
  }
  pen.stroke();
  return ctx.createPattern(tile, 'repeat') ?? color('--fill');
}
