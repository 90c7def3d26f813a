import L from 'leaflet';
import { parametersOf, readableLegend, request, type HeatStyle, type Legend } from 'kiln-leaflet';

import { BASE } from '../catalog.js';
import { color, fillLand, outlinesAt, strengthAt, strokeLines, type Frame } from './outlines.js';
import { drawLabels, layOut, loadPlaces } from './places.js';

/** Pixels of the picture per CSS pixel. */
const RATIO = 2;
const PAD = 16;
const TITLE_HEIGHT = 44;
const FOOT_HEIGHT = 84;
const BAR = { width: 260, height: 11 };
const EQUATOR_M = 2 * Math.PI * 6_378_137;

export interface PictureContent {
  layer: string;
  title: string;
  /** What is selected; may be empty. */
  subtitle: string;
  attribution: string;
  style: HeatStyle;
  legend: Legend | null;
  /** Whether coasts, borders and names are drawn. */
  hasNames: boolean;
}

/** Draws the view of a map with land, heat, names, legend and attribution, as a PNG. */
export async function mapPicture(map: L.Map, content: PictureContent): Promise<Blob> {
  const { x: width, y: height } = map.getSize();
  const zoom = map.getZoom();
  const world = 256 * 2 ** zoom;
  const corner = map.getPixelBounds().min!;
  const frame: Frame = { left: corner.x / world, top: corner.y / world, width, height, world };
  const [heat, outlines, places] = await Promise.all([
    heatOf(content, frame),
    outlinesAt(zoom).catch(() => null),
    content.hasNames ? loadPlaces().catch(() => []) : [],
  ]);
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [(width + 2 * PAD) * RATIO, (height + TITLE_HEIGHT + FOOT_HEIGHT + PAD) * RATIO];
  const context = canvas.getContext('2d');
  if (!context) throw new Error('The browser cannot draw the picture.');
  context.scale(RATIO, RATIO);
  context.fillStyle = color('--solid');
  context.fillRect(0, 0, canvas.width, canvas.height);
  text(context, content.title, PAD, 28, 'bold 18px system-ui, sans-serif', '--ink', width);
  if (content.subtitle) text(context, content.subtitle, PAD + width, 28, '13px system-ui, sans-serif', '--quiet', width / 2, 'right');

  context.save();
  context.translate(PAD, TITLE_HEIGHT);
  context.beginPath();
  context.rect(0, 0, width, height);
  context.clip();
  const strength = outlines ? strengthAt(zoom) : 0;
  context.fillStyle = getComputedStyle(map.getContainer()).backgroundColor;
  context.fillRect(0, 0, width, height);
  context.globalAlpha = strength;
  if (outlines) fillLand(context, outlines, frame);
  context.globalAlpha = 1;
  for (const { image, left, top, width, height } of heat) context.drawImage(image, left, top, width, height);
  context.globalAlpha = strength;
  if (outlines && content.hasNames) strokeLines(context, outlines, frame);
  context.globalAlpha = 1;
  if (places.length) drawLabels(context, layOut(places, zoom, context), frame);
  context.restore();

  const foot = TITLE_HEIGHT + height + 14;
  if (content.legend) drawLegend(context, content.legend, PAD, foot);
  drawScale(context, map.getCenter().lat, world, PAD + width, foot);
  text(context, content.attribution, PAD + width, foot + 58, '11px system-ui, sans-serif', '--quiet', width - BAR.width - 2 * PAD, 'right');
  return new Promise((done, fail) => canvas.toBlob((blob) => (blob ? done(blob) : fail(new Error('The picture is too large for the browser.'))), 'image/png'));
}

interface Part {
  image: ImageBitmap;
  left: number;
  top: number;
  width: number;
  height: number;
}

/** The heat map of a frame: one picture, or one per copy of the world if the frame is wider than a world. */
async function heatOf({ layer, style }: PictureContent, { left, top, width, height, world }: Frame): Promise<Part[]> {
  const clamp = (y: number) => Math.min(Math.max(y, 0), 1);
  const [north, south] = [clamp(top), clamp(top + height / world)];
  const isWide = width > world;
  // Whole pixels, so that the copies of the world have no seams.
  const [columns, rows] = [Math.round(Math.min(width, world)), Math.max(1, Math.round((south - north) * world))];
  const west = isWide ? 0 : left;
  const lng = (x: number) => (x - 0.5) * 360;
  const lat = (y: number) => (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 180) / Math.PI;
  const turn = 360 * Math.floor(west);
  const edges = [lng(west) - turn, lat(south), lng(west + columns / world) - turn, lat(north)].map((edge) => Number(edge.toFixed(6)));
  const response = await request(`${BASE}/${layer}/bbox/${edges.join(',')}/${columns}x${rows}@2x.png?${parametersOf(style)}`);
  const image = await createImageBitmap(await response.blob());
  const parts: Part[] = [];
  const y = (north - top) * world;
  if (!isWide) return [{ image, left: 0, top: y, width: columns, height: rows }];
  for (let copy = Math.floor(left); copy <= left + width / world; copy++) parts.push({ image, left: (copy - left) * world, top: y, width: columns, height: rows });
  return parts;
}

function text(context: CanvasRenderingContext2D, content: string, x: number, y: number, font: string, ink: string, width: number, align: CanvasTextAlign = 'left'): void {
  context.font = font;
  context.textAlign = align;
  context.textBaseline = 'alphabetic';
  context.fillStyle = color(ink);
  let shown = content;
  while (shown.length > 1 && context.measureText(shown).width > width) shown = `${shown.slice(0, -2).trimEnd()}…`;
  context.fillText(shown, x, y);
}

function drawLegend(context: CanvasRenderingContext2D, legend: Legend, x: number, y: number): void {
  const { ticks, unit } = readableLegend(legend);
  text(context, unit, x, y + 8, '11px system-ui, sans-serif', '--quiet', BAR.width);
  const gradient = context.createLinearGradient(x, 0, x + BAR.width, 0);
  legend.colors.forEach((each, i) => gradient.addColorStop(i / (legend.colors.length - 1), each));
  context.fillStyle = gradient;
  context.fillRect(x, y + 16, BAR.width, BAR.height);
  context.strokeStyle = color('--line');
  context.lineWidth = 1;
  context.strokeRect(x - 0.5, y + 15.5, BAR.width + 1, BAR.height + 1);
  let end = -Infinity;
  context.font = '11px system-ui, sans-serif';
  for (const { position, label } of ticks) {
    const half = context.measureText(label).width / 2;
    const middle = Math.min(Math.max(x + position * BAR.width, x + half), x + BAR.width - half);
    if (middle - half < end + 7) continue;
    text(context, label, middle, y + 42, '11px system-ui, sans-serif', '--ink', BAR.width, 'center');
    end = middle + half;
  }
}

function drawScale(context: CanvasRenderingContext2D, lat: number, world: number, right: number, y: number): void {
  const meters = (EQUATOR_M * Math.cos((lat * Math.PI) / 180)) / world;
  const power = 10 ** Math.floor(Math.log10(120 * meters));
  const length = [5, 2, 1].map((digit) => digit * power).find((each) => each <= 120 * meters) ?? power;
  const left = right - length / meters;
  context.fillStyle = color('--ink');
  context.fillRect(left, y + 24, length / meters, 2);
  for (const end of [left, right - 1.5]) context.fillRect(end, y + 19, 1.5, 7);
  const degrees = Math.round(Math.abs(lat));
  const label = length >= 1000 ? `${(length / 1000).toLocaleString('en')} km` : `${length} m`;
  text(context, `${label} at ${degrees}°${lat < 0 ? 'S' : 'N'}`, right, y + 13, '11px system-ui, sans-serif', '--ink', 300, 'right');
}
