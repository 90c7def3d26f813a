// The key of the visitor, on a server with keys. The map page keeps it in the session storage of the tab, and the plain pages send it, too.

const KEY = 'kiln.token';

/** Where the key is without session storage: until the page is left or loaded again. */
let kept = '';

function stored() {
  try {
    return sessionStorage.getItem(KEY) ?? kept;
  } catch {
    return kept;
  }
}

/** Keeps a key. Returns whether the page has it when it is loaded again. */
function keep(key) {
  kept = key;
  try {
    sessionStorage.setItem(KEY, key);
    return true;
  } catch {
    return false;
  }
}

/** Loads the page again. Without session storage, the entry of the history hands the key to the next page, which removes it there. */
export function reloadPage() {
  const key = stored();
  if (key && !keep(key)) history.replaceState({ [KEY]: key }, '');
  location.reload();
}

/** Takes the key of a page that has loaded this one again, and the token of a link, `#token=…`, which it removes from the address. */
function take() {
  const handed = history.state?.[KEY];
  const parts = location.hash.slice(1).split('&');
  const link = parts.find((part) => part.startsWith('token='));
  const key = link === undefined ? handed : new URLSearchParams(link).get('token');
  if (key) keep(key);
  if (key === undefined) return;
  const rest = parts.filter((part) => part !== link).join('&');
  history.replaceState(null, '', `${location.pathname}${location.search}${rest && `#${rest}`}`);
}
take();

/** Whether the visitor has a key. */
export const hasKey = () => stored() !== '';

/** The headers of requests to the server. */
export const headers = () => (stored() ? { authorization: `Bearer ${stored()}` } : {});

/** Asks for a key, and loads the page again with it. The form replaces `place`. */
export function askKey(place, reason) {
  const text = reason.startsWith('the server needs a key') ? 'This server needs a key.' : `The server does not accept the key of this tab: ${reason}.`;
  const make = (tag, properties) => Object.assign(document.createElement(tag), properties);
  const form = make('form', { id: 'key-form' });
  const label = make('label', { textContent: 'Key' });
  const input = make('input', { type: 'password', autocomplete: 'off', required: true });
  const about = make('h1', { textContent: text });
  const isKept = keep(stored());
  const note = isKept ? 'It is kept until this tab is closed.' : 'This browser blocks session storage: the key is forgotten when the page is left or loaded again.';
  // A form with a name is a landmark.
  form.setAttribute('aria-label', 'Key');
  about.id = 'key-about';
  input.setAttribute('aria-describedby', about.id);
  label.append(input);
  form.append(about, label, make('p', { className: 'quiet', textContent: note }), make('button', { textContent: 'Continue' }));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    keep(input.value.trim());
    reloadPage();
  });
  place.replaceWith(form);
  input.focus();
}
