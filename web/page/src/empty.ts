import { closedReason, needsKey } from './add/access.js';
import { BASE, fetchCatalog, type Catalog } from './catalog.js';
import { unreadableSentence } from './damage.js';
import { byId, make } from './dom.js';
import { reloadPage } from './key.js';

/** The delay between two requests for the layers of a server without any, in milliseconds. */
const POLL_MS = 3000;

/** Shows how to add a layer to a server without any. The page loads again when there is one. */
export function showEmpty(catalog: Catalog): void {
  const name = 'points';
  byId('empty-import').textContent = `kiln import ${name}.csv --layer ${name}`;
  const bearer = catalog.writes?.access === 'open' ? '' : " -H 'Authorization: Bearer TOKEN'";
  byId('empty-request').textContent = [`curl -X PUT '${BASE}/${name}'${bearer}`, `curl '${BASE}/${name}/points'${bearer} -F file=@${name}.csv`].join('\n');
  const { access } = catalog;
  const reason = closedReason(catalog);
  if (access?.key) {
    byId('empty-title').textContent = 'No layers for this key';
    byId('empty-about').textContent = access.key === 'anonymous' ? 'This server shows no layers without a key.' : `The key \`${access.key}\` allows no layer that this server has.`;
    byId('empty-other').hidden = reason !== '';
  }
  byId('empty-add').hidden = reason !== '';
  byId('empty-closed').hidden = reason === '';
  byId('empty-closed').textContent = reason;
  byId<HTMLDetailsElement>('empty-other').open = reason !== '';
  if (catalog.unreadable) {
    byId('empty-title').textContent = 'No readable layers';
    const line = make('p', '', catalog.unreadable.map(unreadableSentence).join(' '));
    line.id = 'unreadable';
    byId('empty-title').after(line);
  }
  byId('empty').hidden = false;
  const poll = () =>
    setTimeout(() => {
      // The dialog of an upload shows the layer itself.
      const seen = document.visibilityState === 'visible' && !document.querySelector('dialog[open]') ? fetchCatalog() : Promise.resolve({ layers: [] });
      seen.then(({ layers }) => (layers.length ? reloadPage() : poll()), (error) => (needsKey(error) ? reloadPage() : poll()));
    }, POLL_MS);
  poll();
}
