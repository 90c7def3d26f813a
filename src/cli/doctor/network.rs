//! Checks of the address and the certificate of the server.

use std::io::ErrorKind;
use std::net::TcpListener;

use super::finding::Finding;
use crate::config::Config;
use crate::http::{certificate_expiry_s, check_keys};

/// Checks the address, the certificate and the keys.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let mut findings = vec![address(config)];
    findings.extend(certificate(config));
    if let Err(error) = check_keys(config) {
        findings.push(Finding::of_error("keys", &error, "correct the table; `kiln key new NAME` prints one"));
    } else if !config.keys.is_empty() {
        findings.push(Finding::ok("keys", format!("{} valid", config.keys.len())));
    }
    findings
}

/// Whether the server can listen. The port is free again at once.
fn address(config: &Config) -> Finding {
    let address = config.server.listen;
    match TcpListener::bind(address) {
        Ok(_) if address.ip().is_loopback() || config.server.token.is_some() => {
            Finding::ok("address", format!("{address} is free"))
        }
        Ok(_) => Finding::warning(
            "address",
            format!("{address} is free, but without server.token all writes are rejected"),
            "set server.token, or KILN_TOKEN, if clients are to add points",
        ),
        Err(error) if error.kind() == ErrorKind::AddrInUse => Finding::warning(
            "address",
            format!("{address} is in use, by a running server or another program"),
            "stop it, or set server.listen to another port",
        ),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Finding::error(
            "address",
            format!("{address}: permission denied; ports below 1024 need a privilege"),
            "set server.listen to a port from 1024, or grant CAP_NET_BIND_SERVICE",
        ),
        Err(error) => {
            Finding::error("address", format!("{address}: {error}"), "set server.listen to an address of this machine")
        }
    }
}

/// Whether the certificate can be used, and until when.
fn certificate(config: &Config) -> Option<Finding> {
    const CHECK: &str = "certificate";
    /// The remaining time from which on a certificate should be renewed.
    const RENEW_S: i64 = 14 * 86_400;
    let expires_s = match certificate_expiry_s(config) {
        Ok(expires_s) => expires_s?,
        Err(error) => return Some(Finding::of_error(CHECK, &error, "correct server.tls_cert and server.tls_key")),
    };
    let expires = jiff::Timestamp::from_second(expires_s).map(|at| at.to_string()).unwrap_or_default();
    Some(match expires_s - jiff::Timestamp::now().as_second() {
        ..=0 => Finding::error(CHECK, format!("it has expired at {expires}"), "renew it"),
        1..=RENEW_S => Finding::warning(CHECK, format!("it expires at {expires}"), "renew it"),
        _ => Finding::ok(CHECK, format!("valid until {expires}")),
    })
}
