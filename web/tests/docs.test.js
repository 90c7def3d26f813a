// The documentation page of the API.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { open } from './browser.js';
import { serve } from './kiln.js';

let kiln, chromium;
before(async () => {
  [kiln, chromium] = await Promise.all([serve(), open()]);
});
after(async () => {
  await chromium?.close();
  kiln?.stop();
});

test('every operation is listed, and no other host is contacted', async () => {
  const { page, done } = await chromium.page({}, [kiln.url]);
  await page.goto(`${kiln.url}/docs`);
  await page.waitForSelector('.opblock');
  const listed = await page.$$eval('.opblock', (blocks) =>
    blocks.map((block) => {
      const text = (selector) => block.querySelector(selector).textContent.replaceAll('\u200b', '');
      return `${text('.opblock-summary-method').toLowerCase()} ${text('.opblock-summary-path')}`;
    }),
  );
  const { paths } = await kiln.json('openapi.json');
  const operations = Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`));
  assert(operations.length > 20, operations.join('\n'));
  assert.deepEqual(listed.toSorted(), operations.toSorted());
  await done();
});

test('an operation can be executed, and its picture is shown', async () => {
  const { page, done } = await chromium.page({}, [kiln.url]);
  await page.goto(`${kiln.url}/docs`);
  await page.click('.opblock-summary-path[data-path="/{layer}/legend.png"]');
  await page.click('.opblock.is-open .try-out__btn');
  await page.selectOption('.opblock.is-open tr[data-param-name="layer"] select', 'one');
  for (const name of ['bounds', 'radius', 'opacity', 'scheme', 'zoom']) {
    await page.fill(`.opblock.is-open tr[data-param-name="${name}"] input`, name === 'zoom' ? '5' : '');
  }
  await page.click('.opblock.is-open .execute');
  const picture = await page.waitForSelector('.opblock.is-open .response-col_description img');
  await page.waitForFunction((picture) => picture.complete && picture.naturalWidth > 100, picture);
  await done();
});
