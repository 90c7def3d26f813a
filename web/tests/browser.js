// Chromium, and functions on its screenshots.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
import { chromium } from 'playwright-core';

const PROGRAMS = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run'];
/** Software WebGL. It slows all rendering down. */
const WEBGL = ['--use-angle=swiftshader', '--enable-unsafe-swiftshader'];

export async function open({ webgl = false } = {}) {
  const executablePath = PROGRAMS.find((program) => program && existsSync(program));
  assert(executablePath, 'There is no Chromium: scripts/install.sh chromium');
  const browser = await chromium.launch({ executablePath, args: webgl ? [...FLAGS, ...WEBGL] : FLAGS });

  /** Opens a page that must not report errors and may contact `hosts` only. */
  async function page(options = {}, hosts = []) {
    const context = await browser.newContext({ viewport: { width: 1000, height: 700 }, reducedMotion: 'reduce', ...options });
    const page = await context.newPage();
    const complaints = [];
    const requested = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('response', (reply) => reply.status() >= 400 && complaints.push(`${reply.status()} ${reply.url()}`));
    page.on('requestfailed', (request) => {
      // Outdated requests are cancelled.
      if (request.failure()?.errorText !== 'net::ERR_ABORTED') complaints.push(`${request.failure()?.errorText} ${request.url()}`);
    });
    page.on('request', (request) => {
      requested.push(request.url());
      const { protocol, origin } = new URL(request.url());
      if (['http:', 'https:', 'ws:', 'wss:'].includes(protocol) && !hosts.includes(origin)) complaints.push(`requested ${request.url()}`);
    });
    const done = async () => {
      assert.deepEqual(complaints, []);
      await context.close();
    };
    /** Waits for a request of a URL that `matches`: pages send some of their requests later than they change what they show. */
    const whenRequested = async (matches) => {
      for (const end = Date.now() + 10_000; !requested.some(matches) && Date.now() < end; ) await page.waitForTimeout(50);
      assert(requested.some(matches), requested.join('\n'));
    };
    return { page, requested, whenRequested, complaints, done };
  }

  /** Takes a screenshot and returns a function from a pixel to its color. */
  const look = async (page) => pixels(await page.screenshot());

  return { page, look, browser, close: () => browser.close() };
}

/** A script of a page that blocks session storage, as browsers do that block cookies and site data. */
export const blockStorage = () =>
  Object.defineProperty(window, 'sessionStorage', {
    get() {
      throw new DOMException('Access is denied for this document.', 'SecurityError');
    },
  });

/** Decodes a PNG with 8 bits per channel, not interlaced, as Chromium writes it. */
export function pixels(png) {
  const [width, height, depth, color] = [png.readUInt32BE(16), png.readUInt32BE(20), png[24], png[25]];
  assert(depth === 8 && (color === 2 || color === 6), `a PNG of ${depth} bits and color type ${color}`);
  const packed = [];
  for (let at = 8; at < png.length; at += 12 + png.readUInt32BE(at)) {
    if (png.toString('latin1', at + 4, at + 8) === 'IDAT') packed.push(png.subarray(at + 8, at + 8 + png.readUInt32BE(at)));
  }
  const rows = inflateSync(Buffer.concat(packed));
  const step = color === 2 ? 3 : 4;
  const stride = step * width;
  const bytes = new Uint8Array(stride * height);
  for (let y = 0; y < height; y++) {
    const filter = rows[y * (stride + 1)];
    for (let x = 0; x < stride; x++) {
      const at = y * stride + x;
      const left = x < step ? 0 : bytes[at - step];
      const up = y ? bytes[at - stride] : 0;
      const corner = y && x >= step ? bytes[at - stride - step] : 0;
      const guess = [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter];
      bytes[at] = rows[y * (stride + 1) + 1 + x] + guess;
    }
  }
  const at = (x, y) => {
    const i = y * stride + x * step;
    return [bytes[i], bytes[i + 1], bytes[i + 2]];
  };
  return { width, height, at };
}

/** The Paeth predictor (PNG, filter 4). */
function paeth(left, up, corner) {
  const [byLeft, byUp, byCorner] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  if (byLeft <= byUp && byLeft <= byCorner) return left;
  return byUp <= byCorner ? up : corner;
}

/** The centroid and the number of the pixels for which `is` returns true. */
export function middle({ width, height, at }, is) {
  let [x, y, count] = [0, 0, 0];
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      if (!is(at(column, row))) continue;
      x += column + 0.5;
      y += row + 0.5;
      count++;
    }
  }
  return { x: x / count, y: y / count, count };
}

/** The gradient of the tests. Nothing else on a map has these colors. */
export const GREEN = 'transparent,#00ff00 10%,#00ff00';
export const isGreen = ([red, green, blue]) => green > 150 && red < 110 && blue < 110;
/** The upper half of the page's default scheme: reds, oranges and yellows. */
export const isHot = ([red, , blue]) => red > 225 && blue < 150;

/** Asserts that two screen positions are within about a pixel. */
export function near(found, wanted, slack = 1.5) {
  assert(found.count > 20, `only ${found.count} pixels are there`);
  const off = Math.hypot(found.x - wanted.x, found.y - wanted.y);
  assert(off <= slack, `at ${found.x.toFixed(1)}, ${found.y.toFixed(1)} and not at ${wanted.x.toFixed(1)}, ${wanted.y.toFixed(1)}`);
}
