//! `kiln health`: asks a running server whether it is ready.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use axum::http::{Request, StatusCode, header};
use bytes::Bytes;
use clap::Args as ClapArgs;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::runtime::Builder;

use super::config::environment;
use super::print_text;
use super::visible::visible;
use crate::config::Config;
use crate::error::{Error, Result};

/// Ask the server on this machine whether it is ready, for the health checks of containers.
///
/// The address is server.listen of the configuration. The answer of GET /health?ready is printed; the exit code is 1 if the
/// server is not ready, does not answer or does not run.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln health
  kiln health --live -c /etc/kiln/kiln.toml")]
pub(super) struct Args {
    /// Configuration file [default: ./kiln.toml if it exists]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Only whether the server runs, GET /health
    #[arg(long)]
    live: bool,
}

/// The time in which the server must answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let config = Config::load(args.config.as_deref(), environment()?)?;
    let address = local(config.server.listen);
    if config.server.tls_cert.is_some() {
        let detail = "the server speaks HTTPS, and `kiln health` does not; use a check by HTTPS";
        return Err(Error::config("server.tls_cert", detail));
    }
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::io("the runtime", "start", error))?;
    let path = if args.live { "/health" } else { "/health?ready" };
    let answer = runtime.block_on(async { tokio::time::timeout(TIMEOUT, get(address, path)).await });
    let failed = |reason: String| Error::input(format!("http://{address}{path}"), reason);
    let seconds = TIMEOUT.as_secs();
    let (status, text) = answer.unwrap_or_else(|_| Err(format!("no answer within {seconds} s"))).map_err(failed)?;
    if status.is_success() {
        return print_text(&format!("{}\n", visible(text.trim_end())));
    }
    Err(failed(format!("{status}: {}", text.trim_end())))
}

/// The address of a server as a client on the same machine reaches it.
fn local(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

/// Sends a GET request, and returns the status and the text of the answer.
async fn get(address: SocketAddr, path: &str) -> std::result::Result<(StatusCode, String), String> {
    /// The answers of /health are shorter.
    const MAX_BYTES: usize = 64 << 10;
    let stream = TcpStream::connect(address).await.map_err(|error| format!("the server does not answer: {error}"))?;
    let failed = |error: hyper::Error| format!("not an HTTP server: {error}");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // Ends with the runtime.
    tokio::spawn(connection);
    let request = Request::get(path).header(header::HOST, address.to_string()).body(Empty::<Bytes>::new());
    let response = sender.send_request(request.map_err(|error| error.to_string())?).await.map_err(failed)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_BYTES).collect().await.map_err(|error| error.to_string())?;
    Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
}
