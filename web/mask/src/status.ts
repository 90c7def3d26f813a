import { byId } from '../../page/src/dom.js';
import { isAbort } from './api.js';

/** The status line: an error message and a retry button. */
export class Status {
  constructor(retry: () => void) {
    byId('retry').addEventListener('click', () => {
      byId('message').textContent = 'Loading…';
      retry();
    });
  }

  error(message: string, canRetry = true): void {
    byId('status').hidden = false;
    byId('message').textContent = message;
    byId('retry').hidden = !canRetry;
  }

  clear(): void {
    byId('status').hidden = true;
    byId('message').textContent = '';
  }

  /** Waits for a request and reports its error. Canceled requests are ignored. */
  async watch(task: Promise<void>): Promise<void> {
    try {
      await task;
    } catch (error) {
      if (isAbort(error)) return;
      this.error(error instanceof Error ? error.message : String(error));
    }
  }
}
