// A Kiln server with a few points at known locations, and a web server for other pages.
import { spawn } from 'node:child_process';
import { copyFileSync, createReadStream, existsSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
export const PROGRAM = process.env.KILN ?? here('../../target/debug/kiln');

/** Stockholm, the only point of its layer. */
export const STOCKHOLM = { lat: 59.33, lng: 18.07 };
/** Taveuni in Fiji, which the antimeridian crosses. */
export const TAVEUNI = { lat: -16.85, lng: 180 };
/** The location of the points of the layer `days` on a day from 0 to 6. The category alternates. */
export const placeOf = (day) => ({ lat: 20, lng: -60 + 20 * day });

const date = (day) => `2024-03-0${1 + day}T12:00:00Z`;
const rows = Array.from({ length: 7 }, (_, day) => {
  const { lat, lng } = placeOf(day);
  return [0, 0.05, 0.1].map((by) => `${lng + by},${lat},${1 + day},${date(day)},${day % 2 ? 'tram' : 'bus'}`);
});

/** The category of the layer `weeks` with markup. */
export const MARKUP = '<img src=x onerror=alert(1)>';
/** Four weeks from Monday 2024-01-01 UTC. Each hour from 6 to 20 has a point; on weekdays from 7 to 9 it has four. The delay is the hour. */
const weeks = Array.from({ length: 28 * 24 }, (_, i) => {
  const [day, hour] = [Math.floor(i / 24), i % 24];
  const isRush = day % 7 < 5 && hour >= 7 && hour <= 9;
  const count = isRush ? 4 : hour >= 6 && hour <= 20 ? 1 : 0;
  const time = new Date(Date.UTC(2024, 0, 1 + day, hour, 30)).toISOString();
  return Array.from({ length: count }, (_, n) => `${-74 + 0.2 * (n % 2)},${isRush ? 40.7 : 41.5},${hour},${time},${n % 2 ? MARKUP : 'bus'}`);
});

/** Sums of −12 on Monday, 965 on Tuesday and 1033 on Wednesday. */
const signed = [['01', -12], ['02', 965], ['03', 1000], ['03', 33]].map(([day, gain]) => `18,59,${gain},2024-01-${day}T12:00:00Z`);

/** 400 points within 50 km of Stockholm, and three far away. */
const crowd = Array.from({ length: 400 }, (_, i) => `${(STOCKHOLM.lng + 0.6 * Math.sin(7 * i)).toFixed(4)},${(STOCKHOLM.lat + 0.3 * Math.cos(11 * i)).toFixed(4)}`);
/** As many points everywhere between 60° S and 60° N. */
const everywhere = Array.from({ length: 600 }, (_, i) => `${-175 + 12 * (i % 30)},${-57 + 6 * Math.floor(i / 30)}`);

const FILES = {
  'crowd.csv': ['lon,lat', ...crowd, '0,0', '150,-35', '-120,40'].join('\n'),
  'everywhere.csv': ['lon,lat', ...everywhere].join('\n'),
  'signed.csv': ['lon,lat,gain,time', ...signed].join('\n'),
  'weeks.csv': ['lon,lat,delay,time,kind', ...weeks.flat()].join('\n'),
  'one.csv': `lon,lat,people\n${STOCKHOLM.lng},${STOCKHOLM.lat},5\n`,
  'fiji.csv': `lon,lat\n${TAVEUNI.lng},${TAVEUNI.lat}\n`,
  'bare.csv': 'x,y\n1.25,0.25\n1.25,0.25\n9.75,-3.25\n',
  'days.csv': ['lon,lat,weight,time,kind', ...rows.flat()].join('\n'),
};

const CONFIG = `
[layers.one]
input = "one.csv"
title = "One town"
weight = "people"
attribution = "Nobody & Sons"
style = { radius = 20 }

[layers.fiji]
input = "fiji.csv"

[layers.days]
input = "days.csv"
title = "Seven days"
time = "time"
category = "kind"
style = { radius = 20, curve = "sqrt" }
`;

/** A layer of Stockholm whose dots have a radius on the ground: 26 pixels at zoom 8, 205 at zoom 11. */
export const GROUND = `
[layers.ground]
input = "one.csv"
weight = "people"
style = { radius = "8km" }
`;

/** A layer with a dense part and three outliers, and one that is the same everywhere. */
export const CROWD = `
[layers.crowd]
input = "crowd.csv"

[layers.everywhere]
input = "everywhere.csv"
`;

/** A layer with times, categories and delays. */
export const WEEKS = `
[layers.weeks]
input = "weeks.csv"
title = "Four weeks"
weight = "delay"
time = "time"
category = "kind"
style = { radius = 20 }
`;

/** The sample floor, and a layer in meters with neither times nor rooms nor a plan. */
export const FLOORS = `
[layers.office]
input = "detections.csv.gz"
crs = "plane"
title = "Office"
time = "time"
category = "space_id"
rooms = "rooms.geojson"
floorplan = { image = "plan.png", bounds = [0, 0, 40, 24] }

[layers.bare]
input = "bare.csv"
crs = "plane"
`;
const SAMPLE = ['detections.csv.gz', 'rooms.geojson', 'plan.png'];

/** Starts a server with `config` appended to its configuration, which has no layers if `layers` is false, and further `files`. */
export async function serve(config = '', { layers = true, files = {} } = {}) {
  const home = mkdtempSync(join(tmpdir(), 'kiln-web-'));
  for (const name of SAMPLE) copyFileSync(here(`../../data/floor/${name}`), join(home, name));
  for (const [name, text] of Object.entries({ ...FILES, ...files, 'kiln.toml': (layers ? CONFIG : '') + config })) writeFileSync(join(home, name), text);
  return start(home);
}

/** Starts a server in a folder, which stays; of the configuration there, or of `inputs`. */
export async function serveIn(home, inputs = []) {
  const server = await start(home, inputs);
  return { ...server, stop: server.kill };
}

/** Starts a server in a folder. */
async function start(home, inputs = []) {
  // Tests write without a token, unless their configuration has one of the keys of writes.
  const config = join(home, 'kiln.toml');
  const isWritable = !existsSync(config) || !/token|local_writes/.test(readFileSync(config, 'utf8'));
  const env = isWritable ? { ...process.env, KILN_SERVER_LOCAL_WRITES: 'true' } : process.env;
  const child = spawn(PROGRAM, ['serve', ...inputs, '-l', '127.0.0.1:0'], { cwd: home, env, stdio: ['ignore', 'ignore', 'pipe'] });
  let output = '';
  const url = await new Promise((done, fail) => {
    child.stderr.on('data', (chunk) => {
      output += chunk;
      const found = /at (http:\/\/[^\s]+)/.exec(output);
      if (found) done(found[1].replace(/\/$/, ''));
    });
    child.on('error', fail);
    child.on('exit', () => fail(new Error(`${PROGRAM} has ended: ${output}`)));
  });
  const kill = () => {
    child.removeAllListeners('exit');
    child.kill('SIGKILL');
  };
  const stop = () => {
    kill();
    rmSync(home, { recursive: true, force: true });
  };
  /** Starts the server again, on another port, with the same files. */
  const restart = async () => {
    const ended = new Promise((done) => child.once('close', done));
    kill();
    await ended;
    return start(home);
  };
  /** Replaces the configuration, and lets the server read its keys again. */
  const reload = async (text) => {
    writeFileSync(join(home, 'next.toml'), text);
    renameSync(join(home, 'next.toml'), config);
    const before = output.length;
    child.kill('SIGHUP');
    while (!/read again|previous keys remain/.test(output.slice(before))) await new Promise((done) => setTimeout(done, 20));
  };
  return { url, home, stop, kill, restart, reload, log: () => output, json: async (path) => (await fetch(`${url}/${path}`)).json() };
}

const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.mjs': 'text/javascript', '.css': 'text/css', '.json': 'application/json', '.png': 'image/png' };

/** A web server with `pages` by path, and the files of a folder, by default of web/: libraries from npm, and the package. */
export async function site(pages, root = here('..')) {
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, 'http://site').pathname));
    const text = pages[path];
    const file = join(root, path);
    if (text !== undefined) response.writeHead(200, { 'content-type': TYPES['.html'] }).end(text);
    else if (path === '/favicon.ico') response.writeHead(204).end();
    else if (existsSync(file) && request.headers.range) {
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range).map(Number);
      const { size } = statSync(file);
      const end = Math.min(to, size - 1);
      response.writeHead(206, { 'content-type': 'application/octet-stream', 'content-range': `bytes ${from}-${end}/${size}`, 'content-length': end - from + 1 });
      createReadStream(file, { start: from, end }).pipe(response);
    } else if (existsSync(file) && extname(file)) {
      response.writeHead(200, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' });
      createReadStream(file).pipe(response);
    } else response.writeHead(404).end();
  });
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.close(() => undefined).closeAllConnections() };
}
