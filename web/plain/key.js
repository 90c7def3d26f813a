// The key of the visitor, on a server with keys. The map page keeps it in the session storage of the tab, and this page sends it, too.

const KEY = 'kiln.token';

function stored() {
  try {
    return sessionStorage.getItem(KEY) ?? '';
  } catch {
    return '';
  }
}

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
  // A form with a name is a landmark.
  form.setAttribute('aria-label', 'Key');
  about.id = 'key-about';
  input.setAttribute('aria-describedby', about.id);
  label.append(input);
  form.append(about, label, make('p', { className: 'quiet', textContent: 'It is kept until this tab is closed.' }), make('button', { textContent: 'Continue' }));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    try {
      sessionStorage.setItem(KEY, input.value.trim());
      location.reload();
    } catch {
      about.textContent = 'The browser keeps no key for this page: it allows no session storage.';
    }
  });
  place.replaceWith(form);
  input.focus();
}
