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
  await page.fill('.opblock.is-open tr[data-param-name="layer"] input', 'one');
  for (const name of ['bounds', 'crs', 'radius', 'opacity', 'scheme', 'zoom']) {
    await page.fill(`.opblock.is-open tr[data-param-name="${name}"] input`, name === 'zoom' ? '5' : '');
  }
  await page.click('.opblock.is-open .execute');
  const picture = await page.waitForSelector('.opblock.is-open .response-col_description img');
  await page.waitForFunction((picture) => picture.complete && picture.naturalWidth > 100, picture);
  await done();
});

test('every link leads to an operation, a section or a document of the server', async () => {
  const { page, done } = await chromium.page({}, [kiln.url]);
  await page.goto(`${kiln.url}/docs`);
  await page.waitForSelector('.opblock');
  const links = await page.$$eval('a[href]', (anchors) => anchors.map(({ href, textContent }) => ({ href, text: textContent.replaceAll('\u200b', '').trim() })));
  const { paths } = await kiln.json('openapi.json');
  const operations = Object.entries(paths).flatMap(([path, methods]) => Object.values(methods).map((operation) => ({ path, ...operation })));
  const addresses = new Map(operations.map(({ path, tags, operationId }) => [`${kiln.url}/docs#/${tags[0]}/${operationId}`, path]));
  const sections = new Set(operations.map(({ tags }) => `${kiln.url}/docs#/${tags[0]}`));
  for (const { href, text } of links) {
    if (href.includes('#')) {
      assert(addresses.get(href) === text || sections.has(href), `${text} leads to ${href}`);
    } else {
      assert.equal((await fetch(href)).status, 200, `${text} leads to ${href}`);
    }
  }
  assert(links.length > addresses.size && addresses.size > 50, `${links.length} links`);
  await done();
  // A link that somebody sends opens its operation.
  const [deep, path] = [...addresses].find(([address]) => address.endsWith('/get_tile'));
  const second = await chromium.page({}, [kiln.url]);
  await second.page.goto(deep);
  const open = await second.page.waitForSelector('.opblock.is-open .opblock-summary-path');
  assert.equal((await open.textContent()).replaceAll('\u200b', '').trim(), path);
  // Swagger UI takes the underscore of an operation id for an escaped space.
  assert(second.complaints.every((complaint) => complaint.startsWith('Deprecated: escaping deep link')), second.complaints.join('\n'));
  await second.page.context().close();
});
