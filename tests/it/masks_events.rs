//! Clicks on masks, as server-sent events and by webhook.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};

use crate::masks_http::{create, metric, now_s, npy, url};
use crate::server::{Server, eventually};

/// A client of server-sent events.
struct Events(BufReader<TcpStream>);

impl Events {
    fn of(server: &Server, mask: &Value) -> Self {
        let mut stream = server.connect();
        let head =
            format!("GET {} HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n", url(mask, "events"));
        stream.write_all(head.as_bytes()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200") && head.contains("text/event-stream"), "{head}");
        Self(reader)
    }

    /// The data of the next event; `None` at the end of the stream.
    fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        loop {
            line.clear();
            if self.0.read_line(&mut line).unwrap() == 0 || line == "0\r\n" {
                return None;
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).unwrap());
            }
        }
    }
}

#[test]
fn clicks_reach_all_who_wait_for_them_whatever_the_others_do() {
    let mut server = Server::with(&[], "[masks]\nmax_subscribers = 4\n");
    let mask = create(&server, "", &npy(2, 2, &[0.0, 1.0, 2.0, f32::NAN]));
    let other = create(&server, "", &npy(2, 2, &[0.0, 1.0, 2.0, 3.0]));
    let (mut first, mut second) = (Events::of(&server, &mask), Events::of(&server, &mask));
    let (_not_reading, mut of_other) = (Events::of(&server, &mask), Events::of(&server, &other));
    server.get(url(&mask, "events")).rejected(503, &["masks.max_subscribers"]);
    assert_eq!(metric(&server, "kiln_mask_subscribers "), 4);
    let click = |place: Value| server.post(url(&mask, "click"), &place);
    for i in 0..100 {
        let (row, column) = (i / 2 % 2, i % 2);
        let expected = click(json!({"row": row, "column": column})).ok(200).json();
        assert_eq!((first.next().unwrap(), second.next().unwrap()), (expected.clone(), expected.clone()));
        assert_eq!((&expected["row"], &expected["column"]), (&json!(row), &json!(column)));
        assert_eq!(expected["value"].is_null(), i % 4 == 3);
    }
    assert_eq!(click(json!({"x": 1.5, "y": 0.2})).ok(200).json()["value"], 1.0);
    click(json!({"x": 2.5, "y": 0.2})).rejected(400, &["x: ", "2 px"]);
    click(json!({"x": 1, "y": 1, "button": 2})).rejected(400, &["button: "]);
    assert_eq!(metric(&server, "kiln_mask_clicks_total"), 101);
    drop(second);
    eventually("the end of a stream", || {
        // It is noticed when something is written.
        click(json!({"row": 0, "column": 0})).ok(200);
        metric(&server, "kiln_mask_subscribers ") == 3
    });
    server.send("DELETE", url(&mask, "mask"), &[], b"").ok(204);
    while first.next().is_some() {}
    server.post(url(&other, "click"), &json!({"row": 1, "column": 1})).ok(200);
    assert_eq!(of_other.next().unwrap()["value"], 3.0);
    // A stream does not hold up the end of the server.
    #[cfg(unix)]
    assert_eq!(server.stop(), Some(0));
    assert!(of_other.next().is_none());
}

#[test]
fn a_stream_ends_when_its_mask_expires() {
    let server = Server::with(&[], "[masks]\nttl = \"5s\"\n");
    let mask = create(&server, "", &npy(1, 2, &[0.0, 1.0]));
    let mut events = Events::of(&server, &mask);
    assert!(events.next().is_none());
    assert!(now_s() + 1 >= mask["expires_at"].as_u64().unwrap());
}

/// A receiver of webhooks: the JSON that comes, and its address.
fn receiver() -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
                    length = value.trim().parse().unwrap();
                }
                if line.trim().is_empty() {
                    break;
                }
                head += &line;
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            if sender.send((head, serde_json::from_slice(&body).unwrap())).is_err() {
                return;
            }
        }
    });
    (address, receiver)
}

#[test]
fn clicks_are_sent_to_an_allowed_webhook_and_to_no_other() {
    let (address, received) = receiver();
    let (forbidden, none) = receiver();
    let server =
        Server::with(&[], &format!("[masks]\nwebhook_urls = [\"http://{address}/hooks/\", \"http://127.0.0.1:1/\"]\n"));
    let hook = format!("http://{address}/hooks/clicks?key=1");
    let bytes = npy(1, 2, &[0.5, 1.0]);
    let mask = create(&server, &format!("?webhook={}", hook.replace('?', "%3F").replace('=', "%3D")), &bytes);
    assert_eq!(mask["has_webhook"], true);
    let click = server.post(url(&mask, "click"), &json!({"row": 0, "column": 0})).ok(200).json();
    let (head, json) = received.recv_timeout(Duration::from_secs(30)).unwrap();
    assert!(head.starts_with("POST /hooks/clicks?key=1 HTTP/1.1") && head.contains("application/json"), "{head}");
    assert_eq!(
        (&json["event"], &json["id"], &json["value"], &json["x"]),
        (&json!("click"), &mask["id"], &json!(0.5), &click["x"])
    );
    eventually("the count", || metric(&server, "kiln_mask_webhooks_total{outcome=\"Delivered\"}") == 1);

    for url in [
        format!("http://{forbidden}/hooks/"),
        format!("http://{address}/other"),
        format!("http://{address}@{forbidden}/hooks/"),
        "file:///etc/passwd".to_owned(),
        "nonsense".to_owned(),
    ] {
        let patched = server.send(
            "PATCH",
            crate::masks_http::url(&mask, "mask"),
            &[],
            json!({"webhook": url}).to_string().as_bytes(),
        );
        patched.rejected(400, &["webhook: ", "masks.webhook_urls"]);
        server
            .send("POST", "/masks", &[], json!({"mask": [[1]], "webhook": url}).to_string().as_bytes())
            .rejected(400, &["webhook: "]);
    }
    // A receiver that is not there is logged and counted.
    server.send("PATCH", url(&mask, "mask"), &[], br#"{"webhook": "http://127.0.0.1:1/x?key=1"}"#).ok(200);
    server.post(url(&mask, "click"), &json!({"row": 0, "column": 0})).ok(200);
    eventually("the failure", || metric(&server, "kiln_mask_webhooks_total{outcome=\"Failed\"}") == 1);
    // The log has its host alone: the rest of a webhook's URL is a secret.
    eventually("the warning", || server.log().contains("a click was not delivered"));
    let log = server.log();
    assert!(log.contains("server=\"http://127.0.0.1:1\"") && log.contains("webhook=***"), "{log}");
    assert!(!log.contains("127.0.0.1:1/") && !log.contains("hooks"), "{log}");
    let off = server.send("PATCH", url(&mask, "mask"), &[], br#"{"webhook": null}"#).ok(200).json();
    assert_eq!(off["has_webhook"], false);
    server.post(url(&mask, "click"), &json!({"row": 0, "column": 0})).ok(200);
    std::thread::sleep(Duration::from_millis(200));
    assert!(received.try_recv().is_err() && none.try_recv().is_err());
    // Without a list there is none.
    Server::start()
        .send("POST", "/masks", &[], json!({"mask": [[1]], "webhook": hook}).to_string().as_bytes())
        .rejected(400, &["webhook: "]);
}
