/** A wait for the rate of the server. */
export interface Wait {
  /** Why, in a sentence of the server. */
  reason: string;
  seconds: number;
}

/** The longest wait; a response that asks for a longer one is an error. */
const MAX_S = 120;

/** The requests that wait, one after the other: each succeeds at the rate that the server allows. */
let queue: Promise<unknown> = Promise.resolve();
let count = 0;
/** When the next request is allowed. */
let allowedAt = 0;

const sleep = (ms: number, signal: AbortSignal | null) =>
  new Promise<void>((done, fail) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener('abort', () => {
      clearTimeout(timer);
      fail(new DOMException('The request is cancelled.', 'AbortError'));
    });
  });

/** The seconds that a response asks to wait; null if it does not, or if they are too many. */
function secondsOf(response: Response): number | null {
  if (response.status !== 429) return null;
  const seconds = Math.max(1, Number(response.headers.get('retry-after')) || 1);
  return seconds <= MAX_S ? seconds : null;
}

/** Sends a request again, as long as its response is 429, after the time that the response asks for. `report` is called for each wait, and without one at the end of all. */
export async function resend(first: Response, send: () => Promise<Response>, signal: AbortSignal | null, report: (wait?: Wait) => void): Promise<Response> {
  const take = async (response: Response): Promise<boolean> => {
    const seconds = secondsOf(response);
    if (seconds === null) return false;
    allowedAt = Math.max(allowedAt, Date.now() + 1000 * seconds);
    const { detail } = (await response.clone().json().catch(() => ({}))) as { detail?: string };
    report({ reason: detail ?? 'the server allows no more requests at this rate', seconds });
    return true;
  };
  count++;
  try {
    if (!(await take(first))) return first;
    const turn = queue.then(async () => {
      for (;;) {
        if (signal?.aborted) throw new DOMException('The request is cancelled.', 'AbortError');
        await sleep(Math.max(0, allowedAt - Date.now()), signal);
        const response = await send();
        if (!(await take(response))) return response;
      }
    });
    queue = turn.catch(() => undefined);
    return await turn;
  } finally {
    if (--count === 0) report();
  }
}
