//! Traces for OpenTelemetry, as a collector receives them.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic)]

mod collector;
mod protobuf;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use collector::{collector, held_server, silent_collector};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// A server with variables of the environment.
struct Server {
    process: Child,
    stderr: BufReader<ChildStderr>,
    log: String,
    address: String,
    _home: tempfile::TempDir,
}

fn command(home: &std::path::Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kiln"));
    command.args(["serve", "-l", "127.0.0.1:0"]).current_dir(home).stderr(Stdio::piped());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command.envs(variables.iter().copied());
    command
}

impl Server {
    fn start(variables: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let mut process = command(home.path(), variables).spawn().unwrap();
        let mut stderr = BufReader::new(process.stderr.take().unwrap());
        let mut log = String::new();
        let address = loop {
            let start = log.len();
            assert!(stderr.read_line(&mut log).unwrap() > 0, "{log}");
            if let Some((_, url)) = log[start..].split_once(" at http://") {
                break url.trim_end().trim_end_matches('/').to_owned();
            }
        };
        Self { process, stderr, log, address, _home: home }
    }

    /// The status of the response to a GET request.
    fn get(&self, path: &str, headers: &str) -> u16 {
        self.send("GET", path, headers, "").0
    }

    /// The status and the body of the response to a request.
    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let length = body.len();
        let head =
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}");
        write!(stream, "{head}\r\n{headers}\r\n{body}").unwrap();
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).unwrap();
        let reply = String::from_utf8_lossy(&reply);
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Stops the server, and returns its exit code and its log.
    fn stop(mut self) -> (Option<i32>, String) {
        let id = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        self.stderr.read_to_string(&mut self.log).unwrap();
        (self.process.wait().unwrap().code(), self.log)
    }
}

#[test]
fn a_request_is_a_span_with_its_steps_in_the_trace_of_the_client() {
    let (url, received) = collector("200 OK");
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*url), ("OTEL_EXPORTER_OTLP_HEADERS", "x-team=maps")];
    let server = Server::start(&variables);
    let traceparent = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
    assert_eq!(server.get("/cities/2/2/1.png?radius=9", &traceparent), 200);
    assert_eq!(server.get("/nowhere/2/2/1.png", ""), 404);
    assert_eq!(server.get("/no/such/path/at/all/here", ""), 404);
    // Its client does not record the trace.
    assert_eq!(server.get("/health", &traceparent.replace("-01\r", "-00\r")), 200);
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");

    let spans = received.spans();
    let requests: Vec<_> = spans.iter().filter(|span| span.kind == 2).collect();
    let names: Vec<&str> = requests.iter().map(|span| &*span.name).collect();
    assert_eq!(names, ["GET /{layer}/{z}/{x}/{y}", "GET /{layer}/{z}/{x}/{y}", "GET"], "{spans:#?}");
    let tile = requests[0];
    assert_eq!((&*tile.trace, &*tile.parent, &*tile.service, tile.status), (TRACE, PARENT, "kiln", 0));
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/{layer}/{z}/{x}/{y}"),
        ("http.response.status_code", "200"),
        ("network.protocol.version", "1.1"),
        ("url.path", "/cities/2/2/1.png"),
        ("url.query", "radius=9"),
    ] {
        assert_eq!(tile.attributes.get(name).map(String::as_str), Some(value), "{name}: {tile:#?}");
    }
    for name in ["wait for a thread", "read points", "draw", "encode"] {
        let step = spans.iter().find(|span| span.name == name && span.parent == tile.id);
        let step = step.unwrap_or_else(|| panic!("{name}: {spans:#?}"));
        assert_eq!(step.trace, TRACE, "{name}");
        assert!(tile.start_ns <= step.start_ns && step.start_ns <= step.end_ns && step.end_ns <= tile.end_ns, "{name}");
    }
    let missing = requests[1];
    assert!(missing.parent.is_empty() && missing.trace != TRACE && missing.status == 0, "{missing:#?}");
    assert_eq!(missing.attributes["http.response.status_code"], "404");

    let heads = received.heads.lock().unwrap();
    assert!(heads.iter().all(|head| head.starts_with("POST /v1/traces HTTP/1.1") && head.contains("x-team: maps")));
    let line = log.lines().find(|line| line.contains("/cities/2/2/1.png")).unwrap();
    assert!(line.contains(TRACE) && !line.contains("kiln::step"), "{line}");
    // No step is a trace of its own.
    assert!(spans.iter().all(|span| span.kind == 2 || !span.parent.is_empty()), "{spans:#?}");
}

#[test]
fn a_webhook_has_the_trace_of_its_click_and_delays_no_span() {
    let (url, received) = collector("200 OK");
    let (webhook, head, release) = held_server();
    let variables = [("OTEL_EXPORTER_OTLP_ENDPOINT", &*url), ("KILN_MASKS_WEBHOOK_URLS", &*webhook)];
    let server = Server::start(&variables);
    let json = "content-type: application/json\r\n";
    let (status, mask) =
        server.send("POST", "/masks", json, &format!("{{\"mask\": [[1]], \"webhook\": \"{webhook}\"}}"));
    assert_eq!(status, 201, "{mask}");
    let id = mask.split("\"id\":\"").nth(1).unwrap().split('"').next().unwrap();
    let headers = format!("{json}traceparent: 00-{TRACE}-{PARENT}-01\r\n");
    assert_eq!(server.send("POST", &format!("/masks/{id}/click"), &headers, "{\"row\": 0, \"column\": 0}").0, 200);
    // The click has its response before the webhook has one.
    let head = head.recv_timeout(Duration::from_secs(60)).unwrap();
    release.send(()).unwrap();
    let counted =
        || server.send("GET", "/_/metrics", "", "").1.contains("kiln_mask_webhooks_total{outcome=\"Delivered\"} 1");
    while !counted() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");

    let spans = received.spans();
    let click = spans.iter().find(|span| span.name == "POST /masks/{id}/click").unwrap();
    let delivery = spans.iter().find(|span| span.name == "deliver a click").unwrap_or_else(|| panic!("{spans:#?}"));
    assert_eq!((&*click.trace, &*click.parent), (TRACE, PARENT));
    assert_eq!((&*delivery.trace, &delivery.parent, delivery.kind), (TRACE, &click.id, 3));
    assert!(head.contains(&format!("traceparent: 00-{TRACE}-{}-01\r\n", delivery.id)), "{head}");
    assert!(click.end_ns < delivery.end_ns, "{click:#?} {delivery:#?}");
}

#[test]
fn secrets_in_a_path_are_masked() {
    let (url, received) = collector("200 OK");
    let server = Server::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &*url),
        ("OTEL_SERVICE_NAME", "maps"),
        ("KILN_TOKEN", "a-long-random-token"),
    ]);
    assert!((400..500).contains(&server.get("/a-long-random-token/2/2/1.png?api_key=s3cret", "")));
    assert_eq!(server.stop().0, Some(0));
    let spans = received.spans();
    let request = spans.iter().find(|span| span.kind == 2).unwrap();
    assert_eq!(
        (&*request.attributes["url.path"], &*request.attributes["url.query"]),
        ("/***/2/2/1.png", "api_key=***")
    );
    assert_eq!(request.service, "maps");
    assert!(!format!("{spans:?}").contains("s3cret") && !format!("{spans:?}").contains("a-long-random-token"));
}

#[test]
fn a_collector_that_is_gone_or_fails_is_logged_once_and_delays_no_request() {
    let gone = "http://127.0.0.1:1".to_owned();
    let (failing, _) = collector("500 Internal Server Error");
    for (url, reason) in [(gone, "onnection refused"), (failing, "status 500"), (silent_collector(), "within 200 ms")] {
        let server = Server::start(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", &*url),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "200"),
            ("OTEL_BSP_SCHEDULE_DELAY", "20"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
            ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"),
        ]);
        for x in 0..60 {
            assert_eq!(server.get(&format!("/cities/6/{x}/20.png"), ""), 200);
        }
        let (code, log) = server.stop();
        assert_eq!(code, Some(0), "{log}");
        let lines: Vec<&str> = log.lines().filter(|line| line.contains("traces cannot be sent")).collect();
        assert!(lines.len() == 1 && lines[0].contains("WARN") && lines[0].contains(reason), "{reason}: {lines:?}");
        assert!(!log.contains("ERROR"), "{log}");
    }
}

#[test]
fn without_an_endpoint_there_are_no_traces() {
    let server = Server::start(&[("OTEL_SERVICE_NAME", "maps")]);
    assert_eq!(server.get("/health", &format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n")), 200);
    let (code, log) = server.stop();
    assert!(code == Some(0) && log.contains("/health") && !log.contains(TRACE) && !log.contains("request{"), "{log}");
}

#[test]
fn invalid_variables_are_errors_that_name_them() {
    let home = tempfile::tempdir().unwrap();
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4317");
    for (name, value) in [("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), ("OTEL_TRACES_SAMPLER", "often")] {
        let run = command(home.path(), &[endpoint, (name, value)]).output().unwrap();
        let message = String::from_utf8_lossy(&run.stderr);
        assert!(run.status.code() == Some(2) && message.contains(name) && message.contains(value), "{message}");
    }
}
