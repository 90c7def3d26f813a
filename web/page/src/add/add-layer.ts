import './add.css';

import { KilnError } from 'kiln-leaflet';

import { fetchCatalog, openLayer, type Catalog } from '../catalog.js';
import { debounced, make, number, points } from '../dom.js';
import { closedReason, keepToken, token } from './access.js';
import { ColumnTable } from './column-table.js';
import { announceAdded } from './drop.js';
import { fieldOf } from './field.js';
import { inspect, type Inspection } from './inspect.js';
import { nameOf, nameProblem, titleOf } from './names.js';
import { reportOf } from './report.js';
import { bytesText, sentence } from './texts.js';
import { upload, type Mode, type UploadReply } from './upload.js';

/** The files of a drop or of a button. */
export interface Chosen {
  files: File[];
  hasFolder: boolean;
}

const FORMATS = 'CSV, TSV, GeoJSON, JSON, Parquet, Arrow, GPX, KML, GeoPackage or FlatGeobuf, also compressed with gzip or zstd';
const DEBOUNCE_MS = 250;

/** The dialog that makes a layer of a file: choose, check the columns, upload, and the report. */
export class AddLayer {
  private static current: AddLayer | null = null;

  private readonly dialog = make('dialog', 'card add');
  private readonly body = make('div', 'add-body');
  /** Announces progress and problems to screen readers. */
  private readonly status = make('p', 'add-status');
  private running: AbortController | null = null;
  private isUploading = false;

  /** Opens the dialog, with the files of a drop or without any. `picks`: the browser's own dialog opens, too. */
  static open(catalog: Catalog, chosen: Chosen | null, picks: boolean): void {
    if (AddLayer.current?.isUploading) return;
    AddLayer.current ??= new AddLayer(catalog);
    AddLayer.current.start(chosen, picks);
  }

  private constructor(private catalog: Catalog) {
    const { dialog } = this;
    const head = make('header');
    const title = make('h2', '', 'Add a layer');
    title.id = 'add-title';
    const close = make('button', 'plain', '×');
    close.type = 'button';
    close.setAttribute('aria-label', 'Close');
    close.addEventListener('click', () => this.close());
    head.append(title, close);
    this.status.setAttribute('role', 'status');
    dialog.setAttribute('aria-labelledby', title.id);
    dialog.append(head, this.body, this.status);
    // Escape does not cancel an upload.
    dialog.addEventListener('cancel', (event) => this.isUploading && event.preventDefault());
    dialog.addEventListener('close', () => this.running?.abort());
    addEventListener('beforeunload', (event) => this.isUploading && event.preventDefault());
    document.body.append(dialog);
  }

  private close(): void {
    this.running?.abort();
    this.dialog.close();
  }

  private start(chosen: Chosen | null, picks: boolean): void {
    this.running?.abort();
    if (!this.dialog.open) this.dialog.showModal();
    const reason = closedReason(this.catalog);
    if (reason) return this.show(make('p', '', reason), command(chosen?.files[0]?.name));
    this.showChooser();
    if (picks) this.body.querySelector('input')?.click();
    if (chosen) this.take(chosen);
  }

  /** Replaces the content of the dialog. */
  private show(...content: Node[]): void {
    this.say('');
    this.dialog.classList.remove('done');
    this.body.replaceChildren(...content);
  }

  private say(text: string, isError = false): void {
    if (this.status.textContent !== text) this.status.textContent = text;
    this.status.classList.toggle('error', isError);
  }

  private showChooser(): void {
    const zone = make('label', 'zone');
    const input = make('input');
    input.type = 'file';
    input.addEventListener('change', () => input.files?.length && this.take({ files: [...input.files], hasFolder: false }));
    zone.append(make('strong', '', 'Choose a file with points'), make('span', '', 'or drop it anywhere on this page'), input);
    const limit = this.catalog.writes?.max_bytes ?? Infinity;
    const about = make('p', 'quiet', `${FORMATS}; at most ${bytesText(limit)}, decompressed. Nothing is stored before you have seen the columns.`);
    this.show(zone, about);
    input.focus();
  }

  private take({ files, hasFolder }: Chosen): void {
    const [file] = files;
    if (hasFolder) return this.say('A folder cannot be a layer. Drop one file with points.', true);
    if (files.length > 1) return this.say(`${files.length} files were dropped. A layer is made of one file; add the others to it one by one.`, true);
    if (!file) return this.say('There is no file. Drop a file with points, rather than a picture or text of another page.', true);
    if (!file.size) return this.say(`${file.name} is empty.`, true);
    const limit = this.catalog.writes?.max_bytes ?? Infinity;
    if (file.size > limit) {
      this.showChooser();
      this.body.append(command(file.name));
      const text = `${file.name} has ${bytesText(file.size)}, and the server accepts at most ${bytesText(limit)} (limits.ingest_body of its config). Import it on the server:`;
      return this.say(text, true);
    }
    if (this.catalog.writes?.access === 'token' && !token()) return this.askToken(file);
    void this.check(file);
  }

  /** Asks for the token of the server, and goes on with the file. */
  private askToken(file: File, problem = ''): void {
    const form = make('form');
    const { element, input } = fieldOf('Token of the server', 'It is sent with each upload, and stays in this tab until it is closed.');
    input.type = 'password';
    input.autocomplete = 'off';
    input.required = true;
    const go = make('button', 'primary', 'Continue');
    form.append(make('p', '', `The server accepts ${file.name} only with its token: server.token of its config, or that of the link which it printed when it started.`), element, go);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      keepToken(input.value.trim());
      void this.check(file);
    });
    this.show(form);
    this.say(problem, problem !== '');
    input.focus();
  }

  /** Reads the columns of the file, and shows them. */
  private async check(file: File): Promise<void> {
    this.running?.abort();
    const running = (this.running = new AbortController());
    this.show(make('p', 'quiet', `${file.name}, ${bytesText(file.size)}`));
    this.say('Reading the columns …');
    try {
      // The layers may have changed since the page was loaded.
      const [inspection, catalog] = await Promise.all([inspect(file, new URLSearchParams(), running.signal), fetchCatalog()]);
      this.catalog = catalog;
      this.showForm(file, inspection);
    } catch (error) {
      if (!running.signal.aborted) this.fail(file, error as Error);
    }
  }

  /** Shows why the file was not accepted, and the first step again. */
  private fail(file: File, error: Error): void {
    if (error instanceof KilnError && error.status === 401) {
      const sent = token();
      keepToken('');
      // A token of a server that needs none.
      if (sent && this.catalog.writes?.access === 'open') return void this.check(file);
      return this.askToken(file, sentence(error.message));
    }
    this.showChooser();
    this.say(`${file.name}: ${error.message}`, true);
  }

  private showForm(file: File, found: Inspection): void {
    const form = make('form', 'add-form');
    const proposed = titleOf(file.name);
    const title = fieldOf('Title', '', proposed);
    const name = fieldOf('Name in URLs', '', nameOf(proposed, this.catalog));
    const source = fieldOf('Source', '');
    source.input.placeholder = 'attribution, such as © City of Paris';
    const crs = fieldOf('Coordinate system', '');
    crs.input.placeholder = 'degrees; EPSG:25832; or plane, for meters on a floor';
    const timeFormat = fieldOf('Format of times', '');
    timeFormat.input.placeholder = 'detected; %d.%m.%Y %H:%M; excel; unix-s';
    const encoding = fieldOf('Encoding', '');
    encoding.input.placeholder = 'UTF-8; windows-1252';
    const more = make('details');
    more.append(make('summary', '', 'More'), source.element, crs.element, timeFormat.element, encoding.element);
    const exists = make('fieldset', 'exists');
    const go = make('button', 'primary');
    const table = new ColumnTable(() => inspectAgain());
    let mode: Mode | null = 'create';
    let problem = found.problem;

    const parameters = (): URLSearchParams => {
      const all = table.parameters(mode !== 'create');
      for (const [key, { input }] of Object.entries({ crs, time_format: timeFormat, encoding })) if (input.value.trim()) all.set(key, input.value.trim());
      return all;
    };
    const update = (): void => {
      const wrong = nameProblem(name.input.value, this.catalog);
      name.setProblem(wrong);
      const layer = wrong ? undefined : this.catalog.layers.find((layer) => layer.name === name.input.value);
      if (exists.dataset['layer'] !== (layer?.name ?? '')) {
        exists.dataset['layer'] = layer?.name ?? '';
        mode = layer ? null : 'create';
        exists.replaceChildren(...(layer ? choices(layer.name, layer.points, (chosen) => ((mode = chosen), update())) : []));
      }
      exists.hidden = !layer;
      title.element.hidden = source.element.hidden = layer !== undefined;
      go.textContent = mode === 'append' ? 'Add the points' : mode === 'replace' ? 'Replace the points' : 'Add the layer';
      go.disabled = wrong !== '' || mode === null || problem !== null;
      if (problem !== null) this.say(sentence(friendly(problem)), true);
      else this.say(notices.join(' '));
    };
    let notices = found.notices.map(sentence);
    const inspectNow = async (): Promise<void> => {
      this.running?.abort();
      const running = (this.running = new AbortController());
      try {
        const again = await inspect(file, parameters(), running.signal);
        ({ problem } = again);
        notices = again.notices.map(sentence);
      } catch (error) {
        if (running.signal.aborted) return;
        problem = (error as Error).message;
      }
      update();
    };
    const inspectLater = debounced(() => void inspectNow(), DEBOUNCE_MS);
    const inspectAgain = (): void => {
      go.disabled = true;
      inspectLater();
    };

    table.show(found);
    title.input.addEventListener('input', () => {
      if (!name.input.dataset['own']) name.input.value = nameOf(title.input.value, this.catalog);
      update();
    });
    name.input.addEventListener('input', () => {
      name.input.dataset['own'] = 'true';
      update();
    });
    for (const { input } of [crs, timeFormat, encoding]) input.addEventListener('input', inspectAgain);
    const key = `page-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (go.disabled || mode === null) return;
      const all = parameters();
      if (mode === 'create') {
        if (title.input.value.trim()) all.set('title', title.input.value.trim());
        if (source.input.value.trim()) all.set('attribution', source.input.value.trim());
      }
      if (mode !== 'append') all.set('filename', file.name.slice(-100));
      void this.send(file, name.input.value, mode, all, key, form);
    });
    const count = found.columns.length;
    const about = make('p', 'quiet', [file.name, found.format, bytesText(file.size), ...(count ? [`${number(count)} ${count === 1 ? 'column' : 'columns'}`] : [])].join(' · '));
    const columns = found.columns.length ? table.element : make('p', 'quiet', `The columns of this ${found.format} file are found by their names during the upload.`);
    const other = make('button', '', 'Other file');
    other.type = 'button';
    other.addEventListener('click', () => this.showChooser());
    const buttons = make('p', 'row add-buttons');
    buttons.append(go, other);
    form.append(about, columns, title.element, name.element, exists, more, buttons);
    this.show(form);
    update();
    go.focus();
  }

  private async send(file: File, layer: string, mode: Mode, parameters: URLSearchParams, key: string, form: HTMLElement): Promise<void> {
    this.running?.abort();
    const running = (this.running = new AbortController());
    const bar = make('progress');
    bar.max = 1;
    bar.setAttribute('aria-label', `Upload of ${file.name}`);
    const percent = make('p', 'quiet add-percent');
    percent.setAttribute('aria-hidden', 'true');
    const cancel = make('button', '', 'Cancel');
    cancel.type = 'button';
    cancel.addEventListener('click', () => running.abort());
    this.show(make('p', 'quiet', `${file.name} → ${layer}`), bar, percent, cancel);
    cancel.focus();
    this.say('Uploading …');
    const sent = (share: number): void => {
      if (share >= 1) {
        bar.removeAttribute('value');
        percent.textContent = bytesText(file.size);
        return this.say('Uploaded. The server imports the points …');
      }
      bar.value = share;
      percent.textContent = `${Math.floor(100 * share)} % of ${bytesText(file.size)}`;
    };
    this.isUploading = true;
    try {
      const reply = await upload({ file, layer, mode, parameters, key }, sent, running.signal);
      this.isUploading = false;
      const isReachable = await fetchCatalog().then(() => true, () => false);
      this.report(file, layer, reply, isReachable);
    } catch (error) {
      this.isUploading = false;
      if (!this.dialog.open) return;
      const { status } = error as KilnError;
      if (status === 401) return this.fail(file, error as Error);
      // The same form, so that nothing has to be entered again.
      this.show(form);
      if (running.signal.aborted) return this.say('The upload was cancelled. Nothing was added.');
      // A proxy reports a server that has ended by 502 or 504.
      const isUnknown = [0, 502, 504].includes(status);
      const hint = isUnknown ? ' Whether the points were added is unknown: check the list of layers, or try again; nothing is added twice.' : ' Nothing was added.';
      this.say(`${sentence((error as Error).message)}${hint}`, true);
    }
  }

  /** Shows the layer, after the report if some rows are not in it, or if the server has ended since and the page could not load again. */
  private report(file: File, layer: string, reply: UploadReply, isReachable: boolean): void {
    const { accepted, rejected, beyond_map: beyond, remarks, repeated } = reply;
    const summary = repeated ? `${file.name} had been added already.` : `${points(accepted)} of ${file.name} added.`;
    if (!rejected && !beyond && !remarks.length && accepted && isReachable) {
      announceAdded(summary);
      return openLayer(layer);
    }
    const go = make('button', 'primary', 'Show on the map');
    go.type = 'button';
    go.addEventListener('click', () => openLayer(layer));
    this.show(...reportOf(reply), go);
    this.dialog.classList.add('done');
    const stopped = ' The server has stopped since: show the layer and check the list of layers when it runs again.';
    this.say(`${summary}${rejected ? ` ${number(rejected)} ${rejected === 1 ? 'row' : 'rows'} rejected.` : ''}${isReachable ? '' : stopped}`, !isReachable);
    go.focus();
  }
}

/** What to do with a layer that has the name. */
function choices(layer: string, count: number, choose: (mode: Mode) => void): HTMLElement[] {
  const labels = [
    ['append', 'Add the points to it'],
    ['replace', `Replace its ${points(count)}`],
  ] as const;
  const legend = make('legend', '', `There is a layer “${layer}” already`);
  return [
    legend,
    ...labels.map(([mode, text]) => {
      const label = make('label', 'check');
      const radio = make('input');
      radio.type = 'radio';
      radio.name = 'add-mode';
      radio.value = mode;
      radio.addEventListener('change', () => choose(mode));
      label.append(radio, text);
      return label;
    }),
  ];
}

/** The import on the server, where the page cannot upload. */
function command(filename = 'points.csv'): HTMLElement {
  const text = make('pre', '', `kiln import '${filename}' --layer ${nameOf(titleOf(filename), { layers: [], schemes: [] })}`);
  text.tabIndex = 0;
  text.setAttribute('role', 'region');
  text.setAttribute('aria-label', 'Command on the server');
  return text;
}

/** A message of the readers for people who choose columns rather than parameters. */
const friendly = (text: string): string => text.replace(/; name one with \w+(: .*)?$/, '; choose it in the list of columns');
