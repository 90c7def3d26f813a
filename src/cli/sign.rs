//! `kiln sign`: signs URLs without a server.

use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args as ClapArgs;

use super::config::ConfigArgs;
use super::rows::InputArgs;
use crate::config::{KeyConfig, TimeSpan, Token};
use crate::error::{Error, Result};
use crate::http::{Signed, check_signable};
use crate::layer::SchemeFolders;

/// Sign a URL, for map libraries that send no headers.
///
/// Prints the URL of a path, or its query string. It has the access of the key to everything below the path, for GET
/// requests, until it expires. The key and `server.signing_secret` are those of the configuration; the variable
/// `KILN_SERVER_SIGNING_SECRET` also sets the secret. No server is needed: POST /sign makes the same URLs.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln sign /trips --key tenant-a --expires 1h
  kiln sign /trips --key tenant-a --expires 30d --pin scheme=fire --base-url https://maps.example.org")]
pub(super) struct Args {
    /// Path, with everything below it, such as that of a layer: /trips
    path: String,
    /// Name of the key in the configuration
    #[arg(long, value_name = "NAME")]
    key: String,
    /// Time until the URL expires: 90s, 30m, 1h, 2d
    #[arg(long, value_name = "TIME", value_parser = TimeSpan::parse_with_unit)]
    expires: TimeSpan,
    /// Parameter that requests must have with this value; repeatable
    #[arg(long = "pin", value_name = "NAME=VALUE")]
    pinned: Vec<String>,
    #[command(flatten)]
    config: ConfigArgs,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let config = args.config.resolve(&[], &InputArgs::default())?;
    if args.key == KeyConfig::ANONYMOUS || !config.keys.contains_key(&args.key) {
        let names: Vec<&str> =
            config.keys.keys().map(String::as_str).filter(|name| *name != KeyConfig::ANONYMOUS).collect();
        let known = if names.is_empty() {
            "the configuration has no keys".to_owned()
        } else {
            format!("expected one of {}", names.join(", "))
        };
        return Err(config.error("keys", format!("there is no key `{}`; {known}", args.key)));
    }
    let missing =
        || config.error("server.signing_secret", "missing; set it, or the variable KILN_SERVER_SIGNING_SECRET");
    let secret = config.server.signing_secret.as_ref().map(Token::reveal).ok_or_else(missing)?;
    let pin = |text: &String| {
        let message = || Error::config("--pin", format!("`{text}` is not a parameter such as scheme=fire"));
        text.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(message)
    };
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let signed = Signed {
        key: args.key.clone(),
        prefix: args.path.clone(),
        expires_s: now_s.saturating_add(args.expires.as_secs()),
        pinned: args.pinned.iter().map(pin).collect::<Result<_>>()?,
    };
    let query = signed.query(secret).map_err(|error| Error::config("sign", error.message()))?;
    let schemes = SchemeFolders::open(&config.schemes.folders)?;
    let check_scheme = |name: &str| schemes.find(name).map(drop).map_err(|error| error.to_string());
    check_signable(&signed, check_scheme).map_err(|why| Error::config("sign", why))?;
    if args.path.trim_end_matches('/').is_empty() {
        super::print_message(&format!("warning: the URL allows all layers of the key `{}`", args.key));
    }
    let base = config.server.base_url.as_deref().unwrap_or_default();
    let mut out = std::io::stdout().lock();
    writeln!(out, "{base}{}?{query}", args.path).map_err(|error| Error::io("-", "write", error))
}
