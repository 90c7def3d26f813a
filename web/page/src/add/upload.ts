import { KilnError } from 'kiln-leaflet';

import { BASE } from '../catalog.js';
import { credentials } from './access.js';
import { readable } from './inspect.js';

/** What happens to the points of a layer with the same name. */
export type Mode = 'create' | 'append' | 'replace';

/** The response to an upload. */
export interface UploadReply {
  accepted: number;
  rejected: number;
  rejections: { row: number; reason: string }[];
  remarks: string[];
  beyond_map: number;
  repeated: boolean;
}

export interface Upload {
  file: File;
  layer: string;
  mode: Mode;
  parameters: URLSearchParams;
  /** Identifies the upload, so that a repeated one adds the points once. */
  key: string;
}

/**
 * Uploads a file. The browser streams it from the disk; `fetch` has no progress of uploads, so this is an XMLHttpRequest. `sent` is
 * called with the share of the file that is sent.
 */
export function upload({ file, layer, mode, parameters, key }: Upload, sent: (share: number) => void, signal: AbortSignal): Promise<UploadReply> {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    request.open(mode === 'append' ? 'POST' : 'PUT', `${BASE}/${encodeURIComponent(layer)}/points?${parameters}`);
    const headers = { ...credentials(), 'Content-Type': 'application/octet-stream' };
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    if (mode === 'create') request.setRequestHeader('If-None-Match', '*');
    if (mode === 'append') request.setRequestHeader('Idempotency-Key', key);
    request.upload.onprogress = ({ loaded, total }) => sent(total ? loaded / total : 0);
    request.upload.onload = () => sent(1);
    request.onload = () => {
      const reply = parsed(request.responseText);
      if (request.status >= 200 && request.status < 300) return done(reply as UploadReply);
      const { detail, title } = reply as { detail?: string; title?: string };
      fail(new KilnError(detail ?? title ?? `The server returned status ${request.status}.`, request.status));
    };
    request.onerror = () => {
      const lost = new KilnError('The connection to the server was lost before it confirmed the upload.');
      readable(file).then(() => fail(lost), fail);
    };
    request.onabort = () => fail(new DOMException('', 'AbortError'));
    signal.addEventListener('abort', () => request.abort());
    request.send(file);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
