/** The model of a widget, which the kernel shares with the page. */
export interface Model {
  get<T>(name: string): T;
  set(name: string, value: unknown): void;
  save_changes(): void;
  on(event: string, callback: (...data: never[]) => void): void;
  off(event: string, callback: (...data: never[]) => void): void;
  send(content: unknown): void;
}

/** A reply of the kernel to a request. */
export interface Reply {
  id: number;
  error?: string;
  [key: string]: unknown;
}

/** Sends requests to the kernel, a few at a time, and resolves each by its reply. */
export class Requests {
  #waiting: { content: object; isNeeded: () => boolean; id: number }[] = [];
  #open = new Map<number, (reply: Reply, buffers: DataView[]) => void>();
  #next = 0;
  readonly #model: Model;
  readonly #limit: number;

  constructor(model: Model, limit = 4) {
    this.#model = model;
    this.#limit = limit;
    model.on('msg:custom', this.#receive);
  }

  /** Sends a request once there are few enough open ones, unless it is no longer needed then. */
  send(content: object, isNeeded: () => boolean = () => true): Promise<{ reply: Reply; buffers: DataView[] }> {
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#callbacks.set(id, (reply, buffers) => (reply.error ? reject(new Error(reply.error)) : resolve({ reply, buffers })));
      this.#waiting.push({ content, isNeeded, id });
      this.#advance();
    });
  }

  /** Stops receiving replies. */
  close(): void {
    this.#model.off('msg:custom', this.#receive);
    this.#waiting = [];
  }

  #callbacks = new Map<number, (reply: Reply, buffers: DataView[]) => void>();

  #advance(): void {
    while (this.#open.size < this.#limit) {
      // The newest first: it is in the view.
      const request = this.#waiting.pop();
      if (!request) return;
      const callback = this.#callbacks.get(request.id)!;
      this.#callbacks.delete(request.id);
      if (!request.isNeeded()) {
        callback({ id: request.id, error: 'not needed' }, []);
        continue;
      }
      this.#open.set(request.id, callback);
      this.#model.send({ ...request.content, id: request.id });
    }
  }

  #receive = (reply: Reply, buffers: DataView[]): void => {
    const callback = this.#open.get(reply.id);
    if (!callback) return;
    this.#open.delete(reply.id);
    callback(reply, buffers);
    this.#advance();
  };
}

/** The URL of a picture of bytes. */
export function urlOf(bytes: DataView): string {
  return URL.createObjectURL(new Blob([bytes as unknown as BlobPart], { type: 'image/png' }));
}
