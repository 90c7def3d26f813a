// Requests of the pages to a Kiln server.

/** The server: `kiln serve` on this machine, or the one in `?server=`. */
export const server = new URLSearchParams(location.search).get('server') ?? 'http://127.0.0.1:3000';

/** Returns a response, or throws an error with the reason of the server. */
async function request(url, options) {
  const response = await fetch(url, options).catch(() => {
    throw new Error(`${new URL(url, location.href).origin} cannot be reached.`);
  });
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new Error(problem.detail ?? `${response.status} ${response.statusText}: ${response.url}`);
}

/** Returns the JSON of a response. */
export const json = async (url, options) => (await request(url, options)).json();

/** Returns the text of a response. */
export const text = async (url, options) => (await request(url, options)).text();
