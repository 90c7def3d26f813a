// The documentation page: shows openapi.json (OpenAPI 3.1), one card for each operation.

const METHODS = ['get', 'head', 'post', 'put', 'patch', 'delete', 'options'];
const MAX_TEXT = 100_000; // characters of an answer that are shown

let api = {};

/** An element with properties and children; strings become text, never HTML. */
function el(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

// ------------------------------------------------------------------------------------------------------------- schemas

/** What an object stands for: `$ref`s are followed, and what is said beside them goes first. */
function resolved(object, seen = []) {
  if (!object?.$ref) return object ?? {};
  const { $ref, ...beside } = object;
  if (seen.includes($ref) || !$ref.startsWith('#/')) return beside;
  const key = (step) => decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~');
  const target = $ref.slice(2).split('/').reduce((at, step) => at?.[key(step)], api);
  return { ...resolved(target, [...seen, $ref]), ...beside };
}

/** A schema with its `$ref` and its `allOf` put together. */
function whole(schema) {
  const { allOf = [], ...own } = resolved(schema);
  return [...allOf.map(whole), own].reduce((all, part) => ({
    ...all,
    ...part,
    ...(all.properties || part.properties ? { properties: { ...all.properties, ...part.properties } } : {}),
    ...(all.required || part.required ? { required: [...(all.required ?? []), ...(part.required ?? [])] } : {}),
  }), {});
}

const variants = (schema) => schema.oneOf ?? schema.anyOf ?? [];
const nameOf = (schema) => schema?.$ref?.split('/').at(-1);

/** A schema's type in a few words: `integer (int32)`, `array of Point`, `string or null`. */
function typeText(schema) {
  const all = whole(schema);
  if (variants(all).length) return variants(all).map((variant) => nameOf(variant) ?? typeText(variant)).join(' or ');
  const inner = all.items && (nameOf(all.items) ?? typeText(all.items));
  const types = [all.type ?? (all.properties ? 'object' : all.enum || 'const' in all ? [] : 'any')].flat();
  const format = all.format ? ` (${all.format})` : '';
  return types.map((type) => (type === 'array' && inner ? `array of ${inner}` : type)).join(' or ') + format;
}

/** What limits a value: its default, choices and range. */
function limits(schema) {
  const all = whole(schema);
  const labels = {
    default: 'default', enum: 'one of', const: 'always', minimum: 'from', exclusiveMinimum: 'above', maximum: 'to',
    exclusiveMaximum: 'below', minItems: 'items at least', maxItems: 'items at most', pattern: 'like',
  };
  return Object.entries(labels).filter(([key]) => all[key] !== undefined)
    .map(([key, label]) => `${label} ${[all[key]].flat().map(plain).join(', ')}`).join('; ');
}

const plain = (value) => (typeof value === 'string' ? value : JSON.stringify(value));

/** An example that a schema names, or one made from its types. */
function example(schema, seen = []) {
  const name = nameOf(schema);
  if (name && seen.includes(name)) return null; // a schema within itself
  const inside = name ? [...seen, name] : seen;
  const all = whole(schema);
  for (const given of [all.example, all.examples?.[0], all.default, all.const, all.enum?.[0]]) {
    if (given !== undefined) return given;
  }
  const chosen = variants(all).find((variant) => whole(variant).type !== 'null');
  if (chosen) return example(chosen, inside);
  const type = [all.type ?? (all.properties ? 'object' : 'null')].flat().find((each) => each !== 'null');
  if (type === 'object') {
    const fields = Object.entries(all.properties ?? {}).map(([key, value]) => [key, example(value, inside)]);
    const more = typeof all.additionalProperties === 'object' && !fields.length;
    return Object.fromEntries(more ? [['name', example(all.additionalProperties, inside)]] : fields);
  }
  if (type === 'array') {
    if (all.prefixItems) return all.prefixItems.map((item) => example(item, inside));
    return Array.from({ length: Math.max(1, all.minItems ?? 1) }, () => example(all.items, inside));
  }
  return { string: 'text', integer: all.minimum ?? 0, number: all.minimum ?? 0, boolean: false }[type] ?? null;
}

/** JSON for reading: short lists of plain values stay on one line. */
function pretty(value) {
  const text = JSON.stringify(value, null, 2) ?? '';
  return text.replace(/\[\n\s*([^[\]{}]{0,80}?)\n\s*\]/g, (_, inner) => `[${inner.replace(/\n\s*/g, ' ')}]`);
}

// --------------------------------------------------------------------------------------------------------------- cards

/** A description: paragraphs, `- ` lists, `code`. Other Markdown stays as it is written. */
function prose(text) {
  const spans = (line) => line.split(/`([^`]+)`/).map((part, i) => (i % 2 ? el('code', {}, part) : part));
  return (text ?? '').trim().split(/\n\s*\n/).filter(Boolean).map((block) => {
    const items = block.split(/^\s*[-*] /m);
    if (items.length === 1) return el('p', {}, spans(block));
    const list = el('ul', {}, items.slice(1).map((item) => el('li', {}, spans(item))));
    return el('div', {}, items[0].trim() ? el('p', {}, spans(items[0])) : null, list);
  });
}

/** One line of a list of fields: name, type, limits, description; `children` below it. */
function field(name, type, required, description, limit, children) {
  return el('li', {},
    el('strong', {}, name), el('span', { className: 'quiet' }, type),
    required ? el('span', { className: 'required' }, 'required') : null,
    prose(description), limit ? el('p', { className: 'quiet' }, limit) : null, children);
}

/** The fields of an object schema, or of what an array or a choice holds; null if there are none. */
function fields(schema, seen = []) {
  const name = nameOf(schema);
  if (name && seen.includes(name)) return null;
  const inside = name ? [...seen, name] : seen;
  const all = whole(schema);
  if (all.properties) {
    return el('ul', { className: 'fields' }, Object.entries(all.properties).map(([key, value]) =>
      field(key, typeText(value), all.required?.includes(key), whole(value).description, limits(value),
        fields(value, inside))));
  }
  if (all.items) return fields(all.items, inside);
  const choices = variants(all).map((variant) => [variant, fields(variant, inside)]).filter(([, list]) => list);
  if (choices.length === 1) return choices[0][1];
  if (!choices.length) return null;
  return el('ul', { className: 'fields' }, choices.map(([variant, list]) => {
    const { title, description } = whole(variant);
    return field(nameOf(variant) ?? title ?? typeText(variant), '', false, description, '', list);
  }));
}

/** Path, query and header parameters: those of the path, then the operation's own, which replace them. */
function parametersOf(path, operation) {
  const all = [api.paths[path].parameters, operation.parameters].flatMap((list) => list ?? []);
  return [...new Map(all.map((each) => resolved(each)).map((each) => [`${each.in} ${each.name}`, each])).values()];
}

function parameterList(parameters) {
  if (!parameters.length) return null;
  const lines = parameters.map(({ name, in: where, required, description, schema }) =>
    field(name, `${where}, ${typeText(schema)}`, required, description ?? whole(schema).description, limits(schema)));
  return [el('h4', {}, 'Parameters'), el('ul', { className: 'fields' }, lines)];
}

function requestBody(operation) {
  if (!operation.requestBody) return null;
  const body = resolved(operation.requestBody);
  const contents = Object.entries(body.content ?? {}).map(([type, media]) => {
    const given = media.example ?? resolved(Object.values(media.examples ?? {})[0]).value ?? example(media.schema);
    const text = typeof given === 'string' ? given : pretty(given);
    return [el('p', {}, el('code', {}, type)), fields(media.schema), el('h4', {}, 'Example'),
      el('pre', { tabIndex: 0 }, text)];
  });
  return [el('h4', {}, 'Request body'), prose(body.description), contents];
}

function responseList(operation) {
  const lines = Object.entries(operation.responses ?? {}).map(([code, response]) => {
    const { description, content = {} } = resolved(response);
    const known = Object.values(content).map(({ schema }) => schema && fields(schema)).find(Boolean);
    const shape = known ? el('details', {}, el('summary', { className: 'quiet' }, 'fields'), known) : null;
    return field(code, Object.keys(content).join(', '), false, description, '', shape);
  });
  return lines.length ? [el('h4', {}, 'Responses'), el('ul', { className: 'fields' }, lines)] : null;
}

/** An anchor that is no name of anything else on the page. */
const anchorOf = (method, path, operation) =>
  'op-' + (operation.operationId ?? `${method}-${path}`).replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, '');

function card({ method, path, operation, anchor }) {
  const parameters = parametersOf(path, operation);
  const title = el('a', { href: `#${anchor}` }, el('code', {}, path));
  const className = operation.deprecated ? 'operation deprecated' : 'operation';
  return el('article', { id: anchor, className },
    el('h3', {}, el('span', { className: 'method' }, method.toUpperCase()), title),
    operation.summary ? el('p', {}, operation.summary) : null,
    operation.deprecated ? el('p', { className: 'quiet' }, 'Deprecated') : null,
    prose(operation.description), parameterList(parameters), requestBody(operation), responseList(operation),
    method === 'get' ? tryIt(path, parameters) : null);
}

// ---------------------------------------------------------------------------------------------------------- try it out

/** The address of an operation with the values of its form; what is left empty is left out of the query. */
function addressOf(path, parameters, values) {
  const server = new URL(api.servers?.[0]?.url ?? '.', new URL('openapi.json', document.baseURI)).href;
  const filled = path.replace(/\{([^}]+)\}/g, (hole, name) => encodeURIComponent(values.get(name) ?? '') || hole);
  const given = parameters.filter(({ in: where, name }) => where === 'query' && values.get(name));
  const query = new URLSearchParams(given.map(({ name }) => [name, values.get(name)]));
  return server.replace(/\/$/, '') + filled + (query.size ? `?${query}` : '');
}

/** The input for a parameter: a choice where the contract names the values. */
function inputFor({ name, required, schema, example: given, examples }) {
  const all = whole(schema);
  const first = given ?? Object.values(examples ?? {})[0]?.value ?? all.example ?? all.examples?.[0] ?? all.default;
  const choices = all.enum ?? (all.type === 'boolean' ? [true, false] : null);
  if (choices) {
    const none = el('option', { value: '' }, all.default === undefined ? '' : `${plain(all.default)} (default)`);
    const options = choices.map((value) => el('option', { value }, plain(value)));
    return el('select', { name, required }, required ? null : none, options);
  }
  const usual = first === undefined ? '' : plain(first);
  return el('input', { name, required, value: required ? usual : '', placeholder: usual, autocomplete: 'off' });
}

/** What came back: a picture, JSON, or text. */
async function shown(answer) {
  const type = answer.headers.get('content-type') ?? '';
  if (type.startsWith('image/')) {
    const picture = el('img', { alt: 'The answer', src: URL.createObjectURL(await answer.blob()) });
    picture.onload = () => URL.revokeObjectURL(picture.src);
    return picture;
  }
  const text = await answer.text();
  let readable = text;
  if (/[/+]json/.test(type)) {
    try { readable = pretty(JSON.parse(text)); } catch { /* not JSON after all: shown as it came */ }
  }
  const more = readable.length > MAX_TEXT ? `\n… ${readable.length - MAX_TEXT} more characters` : '';
  return el('pre', { tabIndex: 0 }, readable.slice(0, MAX_TEXT) + more);
}

async function send(address, output) {
  const began = performance.now();
  try {
    const answer = await fetch(address);
    const body = await shown(answer);
    const took = Math.round(performance.now() - began);
    const told = `${answer.status} ${answer.statusText}, ${answer.headers.get('content-type')}, ${took} ms`;
    output.replaceChildren(el('p', { className: answer.ok ? 'quiet' : 'error' }, told), body);
  } catch (error) {
    output.replaceChildren(el('p', { className: 'error' }, error.message));
  }
}

/** A form that builds the URL of a GET, and shows what it answers. */
function tryIt(path, parameters) {
  const asked = parameters.filter((each) => each.in === 'path' || each.in === 'query');
  const inputs = asked.map((each) => el('label', {}, each.name, inputFor(each)));
  const form = el('form', {}, inputs, el('button', {}, 'Send'));
  const link = el('a', {});
  const output = el('div', { ariaLive: 'polite' });
  const address = () => addressOf(path, asked, new FormData(form));
  const tell = () => { link.href = link.textContent = address(); };
  form.addEventListener('input', tell);
  form.addEventListener('submit', (event) => { event.preventDefault(); send(address(), output); });
  tell();
  const url = el('p', { className: 'url' }, link);
  return el('details', { className: 'try' }, el('summary', {}, 'Try it'), form, url, output);
}

// ---------------------------------------------------------------------------------------------------------------- page

/** The operations of the contract by tag: first the tags in the order in which the contract lists them. */
function byTag() {
  const groups = new Map((api.tags ?? []).map(({ name, description }) => [name, { description, operations: [] }]));
  for (const [path, item] of Object.entries(api.paths ?? {})) {
    for (const method of METHODS.filter((each) => item[each])) {
      const operation = item[method];
      const tag = operation.tags?.[0] ?? 'Other';
      if (!groups.has(tag)) groups.set(tag, { operations: [] });
      groups.get(tag).operations.push({ method, path, operation, anchor: anchorOf(method, path, operation) });
    }
  }
  return [...groups].filter(([, { operations }]) => operations.length);
}

function contents(groups) {
  const line = ({ method, path, anchor }) => {
    const verb = el('span', { className: 'method' }, method.toUpperCase());
    return el('li', {}, el('a', { href: `#${anchor}` }, verb, ` ${path}`));
  };
  return groups.flatMap(([tag, { operations }]) => [el('h2', {}, tag), el('ul', {}, operations.map(line))]);
}

function page(groups) {
  const { title, version, description } = api.info ?? {};
  return [
    el('h1', {}, title ?? 'API'),
    el('p', { className: 'quiet' }, `Version ${version}, `, el('a', { href: 'openapi.json' }, 'openapi.json')),
    prose(description),
    groups.map(([tag, { description: about, operations }]) => [
      el('h2', { id: `tag-${tag.replace(/[^A-Za-z0-9]+/g, '-')}` }, tag), prose(about), operations.map(card),
    ]),
  ].flat(Infinity);
}

async function start() {
  const answer = await fetch('openapi.json');
  if (!answer.ok) throw new Error(`openapi.json: ${answer.status} ${answer.statusText}`);
  api = await answer.json();
  const groups = byTag();
  document.title = `${api.info?.title ?? 'API'} - API`;
  document.getElementById('contents').replaceChildren(...contents(groups));
  document.getElementById('main').replaceChildren(...page(groups));
  if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
}

start().catch((error) => {
  document.getElementById('loading').textContent = error.message;
  document.getElementById('loading').className = 'error';
});
