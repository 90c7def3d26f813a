//! A collector that receives spans, or never answers.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
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

/// Starts a server that responds to one request after a message of the sender; returns its URL and the head of the request.
pub(crate) fn held_server() -> (String, Receiver<String>, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let ((heads, head), (release, released)) = (channel(), channel());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        heads.send(request(&stream).unwrap().0).unwrap();
        released.recv().unwrap();
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
    });
    (url, head, release)
}

/// The head and the body of the request of a connection; `None` if its client has closed it.
fn request(stream: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap() == 0 {
            return None;
        }
    }
    let length = head.to_ascii_lowercase();
    let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    Some((head, body))
}

/// Receives the request of a connection.
fn receive(mut stream: TcpStream, status: &str, received: &Received) {
    let Some((head, body)) = request(&stream) else { return };
    received.heads.lock().unwrap().push(head);
    received.spans.lock().unwrap().extend(spans(&body));
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").unwrap();
}
