//! A TCP proxy between a server and its database.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A TCP proxy that counts connections and can make its database unreachable, or drop packets in silence.
pub(super) struct Proxy {
    port: u16,
    state: Arc<ProxyState>,
}

#[derive(Default)]
struct ProxyState {
    is_down: AtomicBool,
    connections: AtomicUsize,
    /// The number of the first connection that is forwarded; packets of earlier ones are dropped.
    first_forwarded: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl ProxyState {
    /// Forwards from one stream to another, while packets of the connection are forwarded.
    fn forward(&self, number: usize, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 1 << 16];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if number >= self.first_forwarded.load(Ordering::SeqCst) && to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    }
}

impl Proxy {
    pub(super) fn start(target: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(ProxyState::default());
        let shared = Arc::clone(&state);
        // The thread ends with the test process.
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                if shared.is_down.load(Ordering::SeqCst) {
                    continue;
                }
                let server = TcpStream::connect(("127.0.0.1", target)).unwrap();
                let mut open = shared.open.lock().unwrap();
                for (from, to) in [(&client, &server), (&server, &client)] {
                    let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                    let shared = Arc::clone(&shared);
                    std::thread::spawn(move || shared.forward(number, from, to));
                }
                open.extend([client, server]);
            }
        });
        Self { port, state }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Closes all open connections, and every new one at once.
    pub(super) fn go_down(&self) {
        self.state.is_down.store(true, Ordering::SeqCst);
        for stream in self.state.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub(super) fn come_back(&self) {
        self.state.is_down.store(false, Ordering::SeqCst);
    }

    /// Drops the packets of all open connections from now on without closing them, as a router that has forgotten them.
    /// New connections are forwarded.
    pub(super) fn forget_connections(&self) {
        self.state.first_forwarded.store(self.connections(), Ordering::SeqCst);
    }

    /// The number of connections so far.
    pub(super) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}
