// A real Chromium, and what is seen in it.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chromium } from 'playwright-core';

const PROGRAMS = [process.env.CHROMIUM, '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const FLAGS = [
  '--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run',
  // WebGL without a graphics card.
  '--use-angle=swiftshader', '--enable-unsafe-swiftshader',
];

export async function open() {
  const executablePath = PROGRAMS.find((program) => program && existsSync(program));
  assert(executablePath, 'There is no Chromium: scripts/install.sh chromium');
  const browser = await chromium.launch({ executablePath, args: FLAGS });
  const canvas = await (await browser.newContext()).newPage();

  /** A page that must not complain, and must ask nobody but `hosts`. */
  async function page(options = {}, hosts = []) {
    const context = await browser.newContext({ viewport: { width: 1000, height: 700 }, reducedMotion: 'reduce', ...options });
    const page = await context.newPage();
    const complaints = [];
    const asked = [];
    page.on('pageerror', (error) => complaints.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('response', (reply) => reply.status() >= 400 && complaints.push(`${reply.status()} ${reply.url()}`));
    page.on('requestfailed', (request) => {
      // What is no longer wanted is dropped.
      if (request.failure()?.errorText !== 'net::ERR_ABORTED') complaints.push(`${request.failure()?.errorText} ${request.url()}`);
    });
    page.on('request', (request) => {
      asked.push(request.url());
      const { protocol, origin } = new URL(request.url());
      if (['http:', 'https:', 'ws:', 'wss:'].includes(protocol) && !hosts.includes(origin)) complaints.push(`asked ${request.url()}`);
    });
    const done = async () => {
      assert.deepEqual(complaints, []);
      await context.close();
    };
    return { page, asked, complaints, done };
  }

  /** What is on screen, as a function from a pixel to its color. */
  async function look(page, clip) {
    const shot = (await page.screenshot(clip ? { clip } : {})).toString('base64');
    const { width, height, data } = await canvas.evaluate(async (shot) => {
      const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${shot}`)).blob());
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      const context = canvas.getContext('2d');
      context.drawImage(bitmap, 0, 0);
      const { data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
      let text = '';
      for (let i = 0; i < data.length; i += 32768) text += String.fromCharCode(...data.subarray(i, i + 32768));
      return { width: bitmap.width, height: bitmap.height, data: btoa(text) };
    }, shot);
    const bytes = Buffer.from(data, 'base64');
    const at = (x, y) => [...bytes.subarray(4 * (y * width + x), 4 * (y * width + x) + 3)];
    return { width, height, at };
  }

  return { page, look, browser, close: () => browser.close() };
}

/** The middle of all pixels that `is` picks, and how many there are. */
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

/** The gradient of the tests: nothing else on a map is of these colors. */
export const GREEN = 'transparent,#00ff00 10%,#00ff00';
export const isGreen = ([red, green, blue]) => green > 150 && red < 110 && blue < 110;
/** The hot half of the page's usual scheme: reds, oranges and yellows. */
export const isHot = ([red, , blue]) => red > 225 && blue < 150;

/** Asserts that two places on screen are the same, to a pixel or so. */
export function near(found, wanted, slack = 1.5) {
  assert(found.count > 20, `only ${found.count} pixels are there`);
  const off = Math.hypot(found.x - wanted.x, found.y - wanted.y);
  assert(off <= slack, `at ${found.x.toFixed(1)}, ${found.y.toFixed(1)} and not at ${wanted.x.toFixed(1)}, ${wanted.y.toFixed(1)}`);
}
