//! A server that is killed while it changes layers: each change is there completely or not at all, and each acknowledged one is.
#![cfg(unix)]

use std::io::{Read, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kiln::store::Store;

use crate::power_cuts::check::{LayerState, State, leftovers, observe};
use crate::power_cuts::disk::Random;
use crate::power_cuts::workload::{LayerRequest, TOKEN, head, plane_changes, points_of};
use crate::server::{Server, eventually};

/// A client that sends its requests one after another, until the server is killed.
struct Client {
    layer: &'static str,
    requests: Vec<LayerRequest>,
    /// The number of requests whose changes are in the store.
    done: usize,
    state: State,
}

impl Client {
    fn new(layer: &'static str, requests: Vec<LayerRequest>) -> Self {
        Self { layer, requests, done: 0, state: State::new() }
    }

    /// Sends the next request; `None` without a complete response.
    fn send(&self, address: &str) -> Option<u16> {
        let request = self.requests.get(self.done)?;
        let mut stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
        let name = format!("key-{}-{}", self.layer, self.done);
        stream.write_all(head(address, &name, request).as_bytes()).ok()?;
        stream.write_all(&request.body).ok()?;
        let mut reply = Vec::new();
        stream.read_to_end(&mut reply).ok()?;
        let reply = String::from_utf8_lossy(&reply);
        let (head, body) = reply.split_once("\r\n\r\n")?;
        let length = head.to_ascii_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
        (body.len() >= length).then_some(head.split(' ').nth(1)?.parse().ok()?)
    }

    fn advance(&mut self) {
        self.requests[self.done].change.apply(&mut self.state);
        self.done += 1;
    }

    /// Sends requests until one is not acknowledged.
    fn run(&mut self, address: &str, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed)
            && let Some(status) = self.send(address)
        {
            assert!((200..300).contains(&status), "{status} for {:?}", self.requests[self.done].change);
            self.advance();
        }
    }

    /// Compares the layer with its acknowledged changes. The request that was not acknowledged may be done.
    fn compare(&mut self, stored: Option<&LayerState>) -> bool {
        if stored == self.state.get(self.layer) {
            return false;
        }
        let (layer, before) = (self.layer, self.state.get(self.layer).cloned());
        let change = self.requests.get(self.done).map(|request| request.change.clone());
        assert!(change.is_some(), "{layer} has {stored:?} instead of {before:?}");
        self.advance();
        let after = self.state.get(layer);
        assert!(stored == after, "{layer} has {stored:?} instead of {before:?}, or {after:?} after {change:?}");
        true
    }
}

/// The number of kills.
fn kills() -> usize {
    std::env::var("KILN_KILLS").map_or(20, |count| count.parse().expect("KILN_KILLS is not a number"))
}

#[test]
fn a_killed_server_has_each_acknowledged_change_of_a_layer_and_no_half_one() {
    let mut server = Server::with(&[], &format!("[server]\ntoken = \"{TOKEN}\"\n"));
    let rounds = 40 * kills() as u32;
    let floor = (0..rounds).flat_map(plane_changes).collect();
    let created = LayerRequest::title("posted", "Posted");
    let posts = (1..rounds).map(|post| LayerRequest::append("posted", post, 20, points_of(20, post)));
    let mut clients =
        [Client::new("floor", floor), Client::new("posted", std::iter::once(created).chain(posts).collect())];
    let (mut random, mut unacknowledged) = (Random(7), 0);
    for _ in 0..kills() {
        let (address, stop) = (server.address().to_owned(), AtomicBool::new(false));
        std::thread::scope(|scope| {
            for client in &mut clients {
                scope.spawn(|| client.run(&address, &stop));
            }
            std::thread::sleep(Duration::from_millis(5 + random.below(250) as u64));
            server.kill();
            stop.store(true, Ordering::Relaxed);
        });
        let stored = observe(&Store::open(&server.folder().join("store")).unwrap()).unwrap();
        for client in &mut clients {
            unacknowledged += usize::from(client.compare(stored.get(client.layer)));
        }
        server.restart();
        // The server may be compacting; what a killed one left stays until the next start.
        eventually("no file is left over", || leftovers(&server.folder().join("store")).is_ok());
    }
    let done: Vec<usize> = clients.iter().map(|client| client.done).collect();
    println!("{} kills, {done:?} changes, {unacknowledged} of them not acknowledged", kills());
    assert!(done.iter().all(|done| *done > kills()), "few changes were made: {done:?}");
}
