//! A collector that receives spans, or never answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::protobuf::{Span, spans};

/// What a collector has received.
#[derive(Clone, Default)]
pub(crate) struct Received {
    pub(crate) spans: Arc<Mutex<Vec<Span>>>,
    pub(crate) heads: Arc<Mutex<Vec<String>>>,
}

impl Received {
    pub(crate) fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }
}

/// Starts a collector that answers with a status line, such as `200 OK`; returns its URL.
pub(crate) fn collector(status: &'static str) -> (String, Received) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let received = Received::default();
    let shared = received.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            receive(stream.unwrap(), status, &shared);
        }
    });
    (url, received)
}

/// Starts a collector that accepts connections and never answers; returns its URL.
pub(crate) fn silent_collector() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let _open: Vec<_> = listener.incoming().collect();
    });
    url
}

/// Receives the request of a connection.
fn receive(mut stream: TcpStream, status: &str, received: &Received) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap() == 0 {
            return;
        }
    }
    let length = head.to_ascii_lowercase();
    let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    received.heads.lock().unwrap().push(head);
    received.spans.lock().unwrap().extend(spans(&body));
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
}
