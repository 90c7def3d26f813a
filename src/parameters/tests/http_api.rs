//! `docs/http-api.md`.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

use crate::http::routes::openapi::{COMMON_ERRORS, document};
use crate::layer::{ColumnOptions, FilterOptions, InputOptions, StyleOptions};
use crate::matrix::{MatrixOptions, MatrixStyleOptions, MatrixTableOptions};
use crate::occupancy::{GridOptions, GridStyleOptions};
use crate::parameters::ParameterSet;

const INTRODUCTION: &str = r#"<!-- Generated from the OpenAPI document by `make parameters`. -->

# HTTP API

A running server describes its API at `/docs` for readers and at `/openapi.json` as OpenAPI 3.1 for programs. This page is generated from the same document.

Style parameters in query strings and JSON bodies have the names of the command line, with `_` in place of `-`: `transparent_low=0.2` is `--transparent-low 0.2`. [Parameters](parameters.md)
lists them with their values and defaults. An unknown parameter is an error.

```sh
curl localhost:3000/catalog
curl 'localhost:3000/cities?scheme=fire&radius=15'
curl -o tile.png localhost:3000/cities/4/8/5.png
```

## Errors

Errors are `application/problem+json` (RFC 9457). `type` identifies the kind of error for programs, `detail` states what is wrong and what would be accepted, `parameter` names the invalid
parameter, and `request_id` is the id of the request in the server's log.

```json
{
  "type": "urn:kiln:invalid-parameter",
  "title": "Bad Request",
  "status": 400,
  "detail": "radius: `wide` is not a size such as 25, 25px, 500m or 10km",
  "parameter": "radius"
}
```

| status | `type` | cause |
| --- | --- | --- |
| 400 | `urn:kiln:invalid-parameter` | a parameter is unknown, malformed or out of range |
| 400 | `urn:kiln:invalid-body` | the request body cannot be parsed |
| 400 | `urn:kiln:bad-request` | the request is malformed |
| 401 | `urn:kiln:unauthorized` | the token of a write request is missing or wrong; on a server with keys, the key of any request is missing, unknown or expired |
| 403 | `urn:kiln:forbidden` | write requests are not allowed, or not from this client; the key or the signed URL does not have the right, or not on this page |
| 404 | `urn:kiln:not-found` | the layer, tile, picture or route does not exist |
| 405 | `urn:kiln:method-not-allowed` | the route does not support the method; `Allow` lists the supported ones |
| 408 | `urn:kiln:slow-body` | the body arrived more slowly than `limits.body_rate`; the connection is closed |
| 409 | `urn:kiln:conflict` | the layer cannot be changed, the job is running, or several layers have the space |
| 412 | `urn:kiln:precondition-failed` | the layer exists, and the request has `If-None-Match: *` |
| 413 | `urn:kiln:too-large` | the request exceeds a limit of the configuration |
| 415 | `urn:kiln:unsupported-media-type` | the media type or encoding of the body is not supported |
| 421 | `urn:kiln:misdirected-request` | the `Host` is not a name of the server (`server.hosts`) |
| 422 | `urn:kiln:idempotency-key-used` | the `Idempotency-Key` was used with other content |
| 429 | `urn:kiln:too-many-requests` | the client exceeds `limits.client_price`, or its key its `rate`; retry after `Retry-After` |
| 500 | `urn:kiln:internal` | the server failed; the log has the cause under the `request_id` |
| 503 | `urn:kiln:busy` | too many requests wait; retry after `Retry-After` |
| 503 | `urn:kiln:timeout` | the request exceeded `server.timeout` or `postgis.timeout` |
| 503 | `urn:kiln:database-unavailable` | the database of the layer cannot be reached |
| 503 | `urn:kiln:layer-damaged` | a file of the layer is damaged: later requests leave a segment out; a manifest, rooms or a floor plan have to be replaced, as `detail` describes |
| 503 | `urn:kiln:store-read-only` | the disk of the server is read-only, or access is denied; nothing was written |
| 503 | `urn:kiln:store-unavailable` | the folder of the store was replaced; nothing was written |
| 507 | `urn:kiln:disk-full` | the disk of the server is full; nothing was written |

Any request may have 401, 403, 421, 429 or 503, and one with a body 408; the lists below have the others. A URI of more than 64 KiB gets 414, and a head of more than 128 KiB or 100 headers
431: these two have no body.

## Names and lists

- A parameter that is a list, such as `category`, `hours`, `weekdays` and `months`, may be repeated, and adds up: `category=bus&category=tram` is `category=bus,tram`. A
  category with a comma is written as a JSON array, `category=["Smith, John"]`.
- `zoom` and `z` are the same parameter.
- Bounds are in degrees, or with `crs=EPSG:3857` in the meters of web maps. [Tiles and overlays](tiles-and-overlays.md#overlays) has an example.

## Generated clients

`/openapi.json` is the input of code generators. It is the same on every server.

```text
curl -O localhost:3000/openapi.json
npx openapi-typescript openapi.json -o kiln.ts
openapi-python-client generate --path openapi.json --config openapi-python-client.yaml
```

openapi-python-client reads JSON and text only. Its configuration [openapi-python-client.yaml](openapi-python-client.yaml) makes it return pictures and files as bytes.

## Authorization

Write requests send the token of `server.token`, or that of the link which the server prints when it starts, as `Authorization: Bearer TOKEN` ([Layers](layers.md#who-may-write)).

On a server with [keys](keys.md), requests for layers, GET requests too, send a key: its secret as `Authorization: Bearer SECRET`, or as the query parameter `key=SECRET` where a client cannot send
headers, or the query string of a [signed URL](keys.md#signed-urls). The token has all rights of a key. Without a key, a request has the rights of `[keys.anonymous]`, or gets 401.
[The right of each route](keys.md#the-right-of-each-route) lists what a key needs.
"#;

/// The sections, by their tags.
const SECTIONS: [(&str, &str); 7] = [
    ("overlays", "Overlays"),
    ("masks", "Masks"),
    ("layers", "Layers"),
    ("matrices", "Matrices"),
    ("writes", "Write requests"),
    ("server", "Server"),
    ("bridge", "Requests of the old PHP page"),
];

/// A description as one or more paragraphs, without blocks of code: the guide has commands that are run.
fn prose(text: &str) -> String {
    let outside = text.split("```").step_by(2);
    let paragraphs = outside.flat_map(|part| part.split("\n\n")).map(|paragraph| paragraph.trim().replace('\n', " "));
    let paragraphs: Vec<String> = paragraphs.filter(|paragraph| !paragraph.is_empty()).collect();
    paragraphs.join("\n\n")
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', ':']) { text.to_owned() } else { format!("{text}.") }
}

/// The parameters of an operation at a place: those of sets that have a table of their own as a link to it.
fn parameters(operation: &Value, place: &str) -> Vec<String> {
    let list = operation["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let there = list.iter().filter(|parameter| parameter["in"] == place);
    let names: Vec<&str> = there.map(|parameter| parameter["name"].as_str().unwrap()).collect();
    let mut linked = BTreeSet::new();
    let mut links = Vec::new();
    let sets: [(&str, &str, Vec<&str>); 9] = [
        ("columns", "columns", ColumnOptions::names().collect()),
        ("inputs", "input options", InputOptions::names().collect()),
        ("filter", "filter", FilterOptions::names().collect()),
        ("style", "style", StyleOptions::names().collect()),
        ("grids", "grid", GridOptions::names().collect()),
        ("grid-pictures", "picture", GridStyleOptions::names().collect()),
        ("matrices", "matrix", MatrixOptions::names().collect()),
        ("matrix-inputs", "matrix input", MatrixTableOptions::names().collect()),
        ("matrix-charts", "chart", MatrixStyleOptions::names().collect()),
    ];
    for (anchor, title, of_set) in &sets {
        if of_set.iter().all(|name| names.contains(name)) {
            linked.extend(of_set.iter().copied());
            links.push(format!("[{title}](parameters.md#{anchor})"));
        }
    }
    let own = names.iter().filter(|name| !linked.contains(*name)).map(|name| format!("`{name}`"));
    own.chain(links).collect()
}

/// The documentation of an operation.
fn operation(method: &str, path: &str, operation: &Value) -> String {
    let mut text = format!("\n### `{} {path}`\n\n", method.to_uppercase());
    writeln!(text, "{}", sentence(operation["summary"].as_str().unwrap())).unwrap();
    let description = prose(operation["description"].as_str().unwrap_or_default());
    if !description.is_empty() {
        write!(text, "\n{description}\n").unwrap();
    }
    text.push('\n');
    for (place, title) in [("query", "Query parameters"), ("header", "Headers")] {
        let parameters = parameters(operation, place);
        if !parameters.is_empty() {
            writeln!(text, "- {title}: {}", parameters.join(", ")).unwrap();
        }
    }
    if let Some(types) = operation["requestBody"]["content"].as_object() {
        if types.len() > 4 {
            writeln!(text, "- Body: points in one of the [media types](server.md#uploads)").unwrap();
        } else {
            let types: Vec<String> = types.keys().map(|name| format!("`{name}`")).collect();
            writeln!(text, "- Body: {}", types.join(", ")).unwrap();
        }
    }
    let mut errors = Vec::new();
    for (status, response) in operation["responses"].as_object().unwrap() {
        if status.starts_with(['4', '5']) {
            // Those of every operation are described once.
            if !COMMON_ERRORS.iter().any(|(common, _)| common == status) {
                errors.push(status.as_str());
            }
            continue;
        }
        let types = response["content"].as_object().into_iter().flat_map(|types| types.keys());
        let types: Vec<String> = types.map(|name| format!("`{name}`")).collect();
        let types = if types.is_empty() { String::new() } else { format!(" ({})", types.join(", ")) };
        let description = response["description"].as_str().unwrap().trim_end_matches('.');
        writeln!(text, "- {status}: {description}{types}").unwrap();
    }
    if !errors.is_empty() {
        writeln!(text, "- [Errors](#errors): {}", errors.join(", ")).unwrap();
    }
    text
}

#[test]
fn the_page_of_the_http_api_is_generated() {
    let contract = document();
    let mut text = INTRODUCTION.to_owned();
    let mut documented = 0;
    for (tag, title) in SECTIONS {
        write!(text, "\n## {title}\n").unwrap();
        for (path, operations) in contract["paths"].as_object().unwrap() {
            for (method, of_method) in operations.as_object().unwrap() {
                if of_method["tags"][0] == tag {
                    text.push_str(&operation(method, path, of_method));
                    documented += 1;
                }
            }
        }
    }
    let operations = contract["paths"].as_object().unwrap().values().filter_map(Value::as_object);
    assert_eq!(documented, operations.map(serde_json::Map::len).sum::<usize>());
    super::assert_file("docs/http-api.md", &text);
}
