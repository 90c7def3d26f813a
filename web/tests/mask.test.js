// The page of a mask, as people use it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { open } from './browser.js';
import { serve, site } from './kiln.js';
import { blobs, BLOBS, npy, store } from './masks.js';

let kiln, chromium, mask;
before(async () => {
  // A sandboxed frame has the origin null.
  [kiln, chromium] = await Promise.all([serve('[server]\ncors_origins = ["*"]\n'), open()]);
  mask = await store(kiln.url, blobs());
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

/** In a window of this size a pixel of the picture is a pixel of the screen: the panel has 290 px. */
const PLAIN = { viewport: { width: 640 + 290, height: 700 } };
const shown = (page) => page.waitForSelector('#view[aria-busy="false"]');

/** The page of a mask, once it shows it. `sent` lists the requests to the mask. */
async function visit({ id = mask.id, suffix = '', server = kiln.url, hosts = [], ...options } = {}) {
  const visitor = await chromium.page({ ...PLAIN, ...options }, [server, ...hosts]);
  const sent = [];
  visitor.page.on('request', (request) => sent.push(request));
  await visitor.page.goto(`${server}/masks/${id}/page${suffix}`);
  await shown(visitor.page);
  return { ...visitor, sent };
}

const text = (page, id) => page.textContent(`#${id}`);
/** Where the picture is in the window, and its pixels per pixel of the picture. */
const placed = async (page) => {
  const { x, y, width, height } = await page.$eval('#picture', (element) => element.getBoundingClientRect().toJSON());
  return { x, y, width, height, scale: width / BLOBS.columns };
};
/** A pixel of the picture in the window. */
const onScreen = async (page, column, row) => {
  const { x, y, scale } = await placed(page);
  return [x + (column + 0.5) * scale, y + (row + 0.5) * scale];
};
const nearly = (found, expected, slack = 0.6) => assert(Math.abs(found - expected) <= slack, `${found} and not ${expected}`);
const fragment = async (page) => {
  await page.waitForTimeout(300);
  return new URLSearchParams(new URL(page.url()).hash.slice(1));
};
/** Moves a slider as an arrow key or a thumb does. */
const slide = (page, id, value) =>
  page.$eval(
    `#${id}`,
    (input, value) => {
      input.value = value;
      input.dispatchEvent(new Event('input', { bubbles: true }));
    },
    value,
  );
const api = async (id, path) => (await fetch(`${kiln.url}/masks/${id}${path}`)).json();

describe('the picture', () => {
  test('background and overlay together have the colors of the picture of the API', async () => {
    const expected = await chromium.page({ viewport: { width: 640, height: 480 } }, [kiln.url]);
    await expected.page.goto(`${kiln.url}/masks/${mask.id}.png`);
    const whole = await chromium.look(expected.page);
    const { page, done } = await visit();
    const seen = await chromium.look(page);
    for (const [column, row] of [[200, 180], [450, 300], [330, 240], [5, 470], [630, 8], [120, 250]]) {
      const [x, y] = (await onScreen(page, column, row)).map(Math.floor);
      const [found, color] = [seen.at(x, y), whole.at(column, row)];
      assert(found.every((part, i) => Math.abs(part - color[i]) <= 2), `${found} and not ${color} at ${column}, ${row}`);
    }
    await expected.done();
    await done();
  });

  test('a wheel zooms from 1 to 10 at the cursor', async () => {
    const { page, done } = await visit();
    const before = await placed(page);
    const [x, y] = await onScreen(page, 200, 180);
    await page.mouse.move(x, y);
    await page.mouse.wheel(0, -300);
    const zoomed = await placed(page);
    assert(zoomed.scale > before.scale * 1.5, `${zoomed.scale}`);
    const after = await onScreen(page, 200, 180);
    nearly(after[0], x);
    nearly(after[1], y);
    for (let turn = 0; turn < 10; turn++) await page.mouse.wheel(0, -500);
    nearly((await placed(page)).scale / before.scale, 10, 1e-6);
    assert.equal(await text(page, 'zoom-all'), '10×');
    for (let turn = 0; turn < 10; turn++) await page.mouse.wheel(0, 500);
    assert.deepEqual(await placed(page), before);
    await done();
  });

  test('a drag pans a zoomed picture as far as its edges, and is no click', async () => {
    const { page, sent, done } = await visit();
    const drag = async (from, to) => {
      await page.mouse.move(...from);
      await page.mouse.down();
      await page.mouse.move(...to, { steps: 5 });
      await page.mouse.up();
    };
    const whole = await placed(page);
    await drag([300, 300], [200, 200]);
    assert.deepEqual(await placed(page), whole);
    await page.click('#zoom-in');
    await page.click('#zoom-in');
    const before = await placed(page);
    await drag([300, 300], [260, 270]);
    const after = await placed(page);
    nearly(after.x - before.x, -40);
    nearly(after.y - before.y, -30);
    for (let turn = 0; turn < 5; turn++) await drag([100, 100], [600, 500]);
    const corner = await placed(page);
    nearly(corner.x, 0);
    nearly(corner.y, 0);
    assert(!sent.some((request) => request.url().endsWith('/click')));
    assert(await page.isHidden('#popup'));
    await done();
  });

  test('two fingers zoom, and a tap reads a value', async () => {
    const { page, done } = await visit({ viewport: { width: 390, height: 800 }, hasTouch: true, isMobile: true });
    const devtools = await page.context().newCDPSession(page);
    const before = await placed(page);
    const touch = (type, ...points) => devtools.send('Input.dispatchTouchEvent', { type, touchPoints: points.map(([x, y], id) => ({ x, y, id })) });
    await touch('touchStart', [170, 140], [220, 140]);
    for (let step = 1; step <= 10; step++) await touch('touchMove', [170 - 5 * step, 140], [220 + 5 * step, 140]);
    await touch('touchEnd');
    const zoomed = await placed(page);
    assert(zoomed.scale > before.scale * 2 && zoomed.scale < before.scale * 4, `${zoomed.scale / before.scale}`);
    await page.touchscreen.tap(200, 150);
    await page.waitForSelector('#popup:not([hidden])');
    await done();
  });
});

describe('values', () => {
  test('a click shows the value that the API has, and is reported', async () => {
    const { page, sent, done } = await visit();
    const stream = await fetch(`${kiln.url}/masks/${mask.id}/events`);
    after(() => reader.cancel().catch(() => undefined));
    const reader = stream.body.pipeThrough(new TextDecoderStream()).getReader();
    await page.click('#zoom-in');
    await page.mouse.click(...(await onScreen(page, 230, 200)));
    await page.waitForSelector('#popup:not([hidden])');
    const { value } = await api(mask.id, '/value?row=200&column=230');
    nearly(Number(await text(page, 'popup-value')), value, 1e-3);
    assert.deepEqual([await text(page, 'popup-row'), await text(page, 'popup-column')], ['200', '230']);
    assert.equal(await text(page, 'live'), `${await text(page, 'popup-value')}, row 200, column 230`);
    let events = '';
    while (!events.includes('event: click')) events += (await reader.read()).value;
    assert.equal(JSON.parse(/data: (.*)/.exec(events)[1]).value, value);
    assert.equal(sent.filter((request) => request.method() === 'POST').length, 1);
    // The marker of the legend is where the value is between the bounds.
    nearly(Number.parseFloat(await page.$eval('#marker', (marker) => marker.style.left)), (100 * value) / 255, 0.01);
    await page.click('#popup-close');
    assert(await page.isHidden('#popup'));
    await done();
  });

  test('the value under a mouse is shown without a report', async () => {
    const { page, sent, done } = await visit();
    await page.mouse.move(...(await onScreen(page, 450, 300)));
    await page.waitForSelector('#under:not([hidden])');
    const { value } = await api(mask.id, '/value?row=300&column=450');
    nearly(Number.parseFloat(await text(page, 'under')), value, 1e-3);
    assert(!sent.some((request) => request.method() === 'POST'));
    await page.mouse.move(800, 650);
    await page.waitForSelector('#under', { state: 'hidden' });
    await done();
  });

  test('cells without data are shown as such', async () => {
    const holes = await store(kiln.url, { mask: npy(4, 4, (row, column) => (row === 1 && column === 1 ? NaN : row + column)) });
    const { page, done } = await visit({ id: holes.id });
    assert.equal(await text(page, 'missing-text'), 'No data: 1 of 16 cells');
    const { x, y, width, height } = await placed(page);
    await page.mouse.click(x + (1.5 / 4) * width, y + (1.5 / 4) * height);
    await page.waitForSelector('#popup:not([hidden])');
    assert.equal(await text(page, 'popup-value'), 'No data');
    assert(await page.isHidden('#marker'));
    assert.equal(await text(page, 'live'), 'No data, row 1, column 1');
    await done();
  });
});

describe('the style', () => {
  test('the opacity changes the picture without a request, and every other control by one', async () => {
    const { page, sent, done } = await visit();
    const [x, y] = (await onScreen(page, 200, 180)).map(Math.floor);
    const before = (await chromium.look(page)).at(x, y);
    sent.length = 0;
    await slide(page, 'opacity', 0);
    assert.equal(await text(page, 'opacity-value'), '0 %');
    const bare = (await chromium.look(page)).at(x, y);
    assert(bare.every((part, i) => Math.abs(part - [110, 107, 150][i]) <= 2) && bare.join() !== before.join(), `${bare}`);
    await page.waitForTimeout(400);
    assert.deepEqual(sent.map((request) => request.url()), []);
    await slide(page, 'opacity', 100);
    for (const [id, value, parameter] of [
      ['colormap', 'bone', 'colormap=bone'],
      ['vmin-slider', '200', 'vmin=51'],
      ['vmax-slider', '600', 'vmax=153'],
      ['kernel', '0', 'blur_ksize=none'],
      ['kernel', '7', 'blur_ksize=15%2C15'],
      ['blur', 'box', 'blur=box'],
    ]) {
      const [picture, legend] = await Promise.all([
        page.waitForResponse((reply) => reply.url().includes('.png?')),
        page.waitForResponse((reply) => reply.url().includes('legend.json?')),
        slide(page, id, value),
      ]);
      for (const reply of [picture, legend]) assert(reply.ok() && reply.url().includes(parameter), reply.url());
    }
    await page.waitForTimeout(300);
    assert.equal(await text(page, 'legend-text'), 'Legend: bone from 51 to 153');
    const [red, green, blue] = (await chromium.look(page)).at(x, y);
    assert(red > 240 && green > 240 && blue > 240, `${red} ${green} ${blue}`);
    // It is a view of one's own: the stored style is as it was.
    assert.deepEqual((await api(mask.id, '')).style, BLOBS.style);
    await page.click('#reset');
    await page.waitForResponse((reply) => reply.url().includes('.png?'));
    assert.equal(await page.inputValue('#opacity'), '70');
    assert.equal(await text(page, 'kernel-value'), '7 × 7 cells');
    await done();
  });

  test('the picture before stays until the next one is there', async () => {
    const { page, done } = await visit();
    const source = () => page.$eval('#overlay', (image) => [image.src, image.complete && image.naturalWidth]);
    const before = await source();
    let go;
    await page.route('**/*.png?*colormap=hot*', async (route) => {
      await new Promise((done) => (go = done));
      await route.continue();
    });
    await page.selectOption('#colormap', 'hot');
    await page.waitForTimeout(500);
    assert.deepEqual(await source(), before);
    go();
    await page.waitForFunction((before) => document.querySelector('#overlay').src !== before, before[0]);
    assert.equal((await source())[1], 640);
    await done();
  });

  test('the URL holds the style and the place', async () => {
    const { page, done } = await visit();
    await page.selectOption('#colormap', 'turbo');
    await page.check('#reversed');
    await slide(page, 'opacity', 35);
    await page.fill('#vmax', '');
    await page.click('#zoom-in');
    const found = await fragment(page);
    assert.deepEqual([found.get('colormap'), found.get('opacity'), found.get('vmax'), found.get('zoom')], ['turbo_r', '35', '', '1.50']);
    await done();
    const again = await visit({ suffix: `#${found}` });
    assert.equal(await again.page.inputValue('#colormap'), 'turbo');
    assert(await again.page.isChecked('#reversed'));
    assert.deepEqual([await again.page.inputValue('#opacity'), await again.page.inputValue('#vmax')], ['35', '']);
    assert.equal(await text(again.page, 'zoom-all'), '1.5×');
    await again.done();
    const odd = await visit({ suffix: '#colormap=%3Cb%3E&opacity=900&vmin=x&blur=sharp&blur_ksize=4&zoom=no' });
    assert.deepEqual([await odd.page.inputValue('#colormap'), await odd.page.inputValue('#opacity')], ['jet', '70']);
    await odd.done();
  });

  test('bounds that are not in order are refused where they are typed', async () => {
    const { page, sent, done } = await visit();
    sent.length = 0;
    await page.fill('#vmin', '300');
    await page.waitForTimeout(400);
    assert(await page.$eval('#vmin', (input) => !input.validity.valid && input.validationMessage.includes('below vmax')));
    assert.deepEqual(sent.map((request) => request.url()), []);
    await Promise.all([page.waitForResponse((reply) => reply.url().includes('vmin=30&')), page.fill('#vmin', '30')]);
    assert(await page.$eval('#vmin', (input) => input.validity.valid));
    await done();
  });
});

describe('without a mouse', () => {
  test('keys move a crosshair, read values, zoom and close', async () => {
    const { page, done } = await visit();
    for (let turn = 0; turn < 2; turn++) await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'view');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Shift+ArrowDown');
    await page.waitForFunction(() => document.querySelector('#live').textContent.includes('row'));
    const [, row, column] = /row (\d+), column (\d+)/.exec(await text(page, 'live')).map(Number);
    assert(row > 280 && column > 320, `${row} ${column}`);
    await page.keyboard.press('Enter');
    await page.waitForSelector('#popup:not([hidden])');
    const { value } = await api(mask.id, `/value?row=${row}&column=${column}`);
    nearly(Number(await text(page, 'popup-value')), value, 1e-3);
    await page.keyboard.press('+');
    assert.equal(await text(page, 'zoom-all'), '1.5×');
    await page.keyboard.press('0');
    assert.equal(await text(page, 'zoom-all'), '1.0×');
    await page.keyboard.press('Escape');
    assert(await page.isHidden('#popup'));
    assert(await page.isHidden('#cross'));
    // The crosshair stays on the picture.
    for (let turn = 0; turn < 12; turn++) await page.keyboard.press('Shift+ArrowLeft');
    await page.waitForFunction(() => document.querySelector('#live').textContent.endsWith('column 0'));
    await done();
  });

  test('every control is reached by Tab and has a name', async () => {
    const { page, done } = await visit();
    const reached = new Set();
    for (let turn = 0; turn < 40; turn++) {
      await page.keyboard.press('Tab');
      reached.add(await page.evaluate(() => document.activeElement.id));
    }
    const controls = await page.$$eval('#panel :is(input, select, button, a), #zoom button', (all) => all.filter((one) => one.checkVisibility()).map(({ id }) => id));
    for (const id of controls) assert(reached.has(id), `${id} is not reached`);
    const tree = await page.locator('body').ariaSnapshot();
    for (const line of tree.split('\n')) assert(!/- (slider|spinbutton|combobox|checkbox|button|link)(:|$| \[)/.test(line), `no name: ${line}`);
    assert.match(tree, /slider "Opacity/);
    assert.match(tree, /heading "Mask" \[level=1\]/);
    assert.match(tree, /Legend: jet from 0 to 255/);
    await done();
  });

  test('a screen of 320 px has all of it, without scrolling sideways', async () => {
    const { page, done } = await visit({ viewport: { width: 320, height: 640 } });
    const [scrolled, width] = await page.evaluate(() => [document.documentElement.scrollWidth, document.querySelector('#picture').getBoundingClientRect().width]);
    assert.equal(scrolled, 320);
    nearly(width, 320);
    await page.locator('#kernel').scrollIntoViewIfNeeded();
    assert(await page.isVisible('#kernel'));
    await done();
  });
});

describe('in a frame', () => {
  for (const sandbox of ['', ' sandbox="allow-scripts"']) {
    test(`of another site${sandbox}: the picture has all the room, and clicks are posted`, async () => {
      const frame = `<iframe src="${kiln.url}/masks/${mask.id}/page" width="640" height="480" style="border: 0"${sandbox}></iframe>`;
      const around = await site({ '/': `<!doctype html><body style="margin: 0">${frame}<script>addEventListener('message', ({ data }) => (window.got = data))</script>` });
      const { page, done } = await chromium.page({}, [kiln.url, around.url]);
      after(around.stop);
      await page.goto(around.url);
      const inner = page.frames()[1];
      await inner.waitForSelector('#view[aria-busy="false"]');
      assert(await inner.isHidden('#panel'));
      assert.equal(await inner.$eval('#stage', (stage) => stage.clientWidth), 640);
      await page.mouse.click(320, 200);
      await page.waitForFunction(() => window.got);
      const { type, x, y, row, column, value } = await page.evaluate(() => window.got);
      assert.equal(type, 'kiln-mask-click');
      assert.deepEqual(await api(mask.id, `/value?x=${x}&y=${y}`), { x, y, row, column, value });
      await inner.click('#open');
      await slide(inner, 'opacity', 20);
      await inner.press('#opacity', 'Escape');
      assert(await inner.isHidden('#panel'));
      assert.equal(await inner.evaluate(() => document.activeElement.id), 'open');
      await done();
    });
  }

  test('a page by itself posts no clicks, and ?embed has its look', async () => {
    const { page, done } = await visit({ suffix: '?embed' });
    assert(await page.isHidden('#panel'));
    await page.evaluate(() => addEventListener('message', ({ data }) => (window.got = data)));
    await page.mouse.click(320, 200);
    await page.waitForSelector('#popup:not([hidden])');
    assert.equal(await page.evaluate(() => window.got), undefined);
    await done();
  });
});

describe('when things go wrong', () => {
  test('a mask that has expired is reported, with the picture as it was', async () => {
    const brief = await serve('[masks]\nttl = "5s"\n');
    after(brief.stop);
    const { id } = await store(brief.url, blobs());
    const { page, complaints } = await visit({ id, server: brief.url });
    await page.waitForSelector('#status:not([hidden])', { timeout: 20_000 });
    assert.match(await text(page, 'message'), /has expired/);
    assert(await page.isVisible('#overlay'));
    await page.click('#retry');
    await page.waitForFunction(() => document.querySelector('#message').textContent.includes('expired'));
    await page.reload();
    await page.waitForSelector('#status:not([hidden])');
    assert.match(await text(page, 'message'), /does not exist/);
    assert(complaints.every((complaint) => complaint.includes('404')), complaints.join('\n'));
    await page.context().close();
  });

  test('a server that is gone is reported, and Retry shows what was chosen meanwhile', async () => {
    const { page, complaints } = await visit();
    await page.context().setOffline(true);
    await page.selectOption('#colormap', 'hot');
    await page.waitForSelector('#status:not([hidden])');
    assert.match(await text(page, 'message'), /cannot be reached/);
    await page.click('#retry');
    await page.waitForFunction(() => document.querySelector('#message').textContent.includes('cannot be reached'));
    await page.context().setOffline(false);
    await page.click('#retry');
    await page.waitForSelector('#status', { state: 'hidden' });
    assert.equal(await page.inputValue('#colormap'), 'hot');
    assert.match(await text(page, 'legend-text'), /hot/);
    assert(complaints.every((complaint) => complaint.includes('ERR_INTERNET_DISCONNECTED')), complaints.join('\n'));
    await page.context().close();
  });

  test('a server that ended is reported at a click', async () => {
    const other = await serve();
    const { id } = await store(other.url, blobs());
    const { page } = await visit({ id, server: other.url });
    other.stop();
    await page.mouse.click(320, 300);
    await page.waitForSelector('#status:not([hidden])');
    assert.match(await text(page, 'message'), /cannot be reached/);
    assert(await page.isHidden('#popup'));
    await page.context().close();
  });

  test('an array without a finite value is shown between the bounds that it has', async () => {
    const infinite = await store(kiln.url, { mask: npy(1, 2, (_, column) => (column ? Infinity : -Infinity)), vmin: '0', vmax: '1', blur_ksize: 'none' });
    const { page, done } = await visit({ id: infinite.id });
    const { x, y, width, height } = await placed(page);
    for (const [part, value] of [[0.25, '−∞'], [0.75, '∞']]) {
      await page.mouse.click(x + part * width, y + height / 2);
      await page.waitForFunction((value) => document.querySelector('#popup-value').textContent === value, value);
    }
    await page.fill('#vmin', '');
    await Promise.all([page.waitForResponse((reply) => reply.url().includes('colormap=hot')), page.selectOption('#colormap', 'hot')]);
    assert(await page.isHidden('#status'));
    await done();
  });
});
