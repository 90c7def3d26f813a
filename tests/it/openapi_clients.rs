//! The `OpenAPI` document, by programs that generate clients from it: openapi-python-client and openapi-typescript. The generated
//! Python client sends requests.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::server::Server;

const PNG: &str = "89504e470d0a1a0a";

/// A program whose types are those of the document.
const PROGRAM: &str = r"
import type { components, operations, paths } from './api';

type Points = operations['get_points']['responses'][200]['content']['application/geo+json'];
type Tile = paths['/{layer}/{z}/{x}/{y}.png']['get'];
const query: NonNullable<operations['get_points']['parameters']['query']> = { category: ['bus', 'tram'], limit: 3, order: 'weight' };
const path: Tile['parameters']['path'] = { layer: 'stops', z: 0, x: 0, y: '0' };
const overlay: components['schemas']['OverlayRequest'] = { layer: 'stops', bounds: [-12, 35, 32, 60], size: [800, 600], radius: '10km' };
const png: Tile['responses'][200]['content']['image/png'] = '';
export const sum = (points: Points): number => points.features.reduce((sum, { properties }) => sum + (properties.weight ?? 1), 0);
export const detail = (problem: components['schemas']['Problem']): string => problem.detail;
// @ts-expect-error: there is no such order.
const wrong: typeof query = { order: 'north' };
export { overlay, path, png, query, wrong };
";

/// A server with a layer of stops, and its document in a folder.
fn server_with_document() -> (Server, tempfile::TempDir) {
    let home = tempfile::tempdir().unwrap();
    let rows = "lon,lat,boardings,kind,time\n18.0,59.3,1,bus,2024-01-01\n18.1,59.4,5,tram,2024-02-01T12:30:00Z\n18.2,59.5,3,ferry,2024-03-01\n";
    std::fs::write(home.path().join("stops.csv"), rows).unwrap();
    std::fs::write(home.path().join("kiln.toml"), "[layers.stops]\ninput = \"stops.csv\"\nweight = \"boardings\"\n")
        .unwrap();
    let server = Server::at(home, &[]);
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("openapi.json"), server.get("/openapi.json").ok(200).body).unwrap();
    (server, folder)
}

fn run(command: &mut Command, installer: &str) -> Vec<u8> {
    let program = Path::new(command.get_program()).display().to_string();
    let output =
        command.output().unwrap_or_else(|error| panic!("cannot run {program} ({error}): {installer} installs it"));
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{program}: {stdout}{stderr}");
    output.stdout
}

#[test]
fn a_python_client_is_generated_without_warnings_and_its_requests_succeed() {
    let (server, folder) = server_with_document();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = run(
        Command::new(root.join("target/readers/bin/python"))
            .args(["-c", include_str!("openapi_clients.py"), &format!("http://{}", server.address())])
            .arg(root.join("docs/openapi-python-client.yaml"))
            .current_dir(folder.path()),
        "scripts/readers.sh",
    );
    let received: Value = serde_json::from_slice(&output).unwrap();
    assert_eq!(received["catalog"], json!(["stops"]));
    let points = &received["points"];
    assert_eq!(
        (&points["total"], &points["truncated"], &points["order"]),
        (&json!(2), &json!(false), &json!("sample"))
    );
    let tram = json!({"weight": 5.0, "time": "2024-02-01T12:30:00Z", "category": "tram"});
    assert_eq!(points["features"][1]["properties"], tram);
    assert_eq!((&received["tile"], &received["picture"]), (&json!(PNG), &json!(PNG)));
    let value = &received["value"];
    assert_eq!(
        (&value["z"], &value["points"], &value["categories"][0]["name"]),
        (&json!(9), &json!(1), &json!("tram"))
    );
    assert_eq!(
        (&received["missing"]["status"], &received["missing"]["type"]),
        (&json!(404), &json!("urn:kiln:not-found"))
    );
    // The parsers of both formats find the same metrics.
    let [classic, open_metrics] = ["classic", "open_metrics"].map(|format| received[format].as_array().unwrap());
    assert_eq!(classic[1], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(open_metrics[1], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    assert_eq!(classic[0], open_metrics[0]);
    assert!(classic[0].as_array().unwrap().contains(&json!(["kiln_http_requests", "counter"])), "{classic:?}");
}

#[test]
fn typescript_types_are_generated_and_programs_with_them_compile() {
    let (_server, folder) = server_with_document();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    std::fs::write(folder.path().join("program.ts"), PROGRAM).unwrap();
    // The Node.js that scripts/page.sh installs if that of the system is too old.
    let node = root.join("target/node/node_modules/node/bin");
    let path = std::env::join_paths(
        std::iter::once(node).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let path = path.unwrap();
    let tool = |name: &str| {
        let mut command = Command::new(root.join("target/client-generators/node_modules/.bin").join(name));
        command.env("PATH", &path).current_dir(folder.path());
        command
    };
    let installer = "scripts/client_generators.sh";
    run(tool("openapi-typescript").args(["openapi.json", "-o", "api.ts"]), installer);
    run(
        tool("tsc").args([
            "--strict",
            "--noEmit",
            "--skipLibCheck",
            "false",
            "--target",
            "es2022",
            "api.ts",
            "program.ts",
        ]),
        installer,
    );
}
