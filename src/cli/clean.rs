//! `kiln clean`: sweeps a folder of pictures once.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args as ClapArgs;

use super::config::environment;
use super::say;
use super::summary::plural;
use crate::config::{ByteSize, Config, TimeSpan};
use crate::error::{Error, Result};
use crate::images::{ImageFolder, RetentionLimits};

/// Remove old pictures from a folder, once.
///
/// Only pictures that Kiln named go, such as 1732158000-67e5504410b1426f9247bb680e5fe0c8.png, and its own unfinished files
/// that are older than ten minutes. What is not said here is taken from the server's configuration: ./kiln.toml, and
/// variables such as `KILN_IMAGES_TTL`.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The folder of pictures [default: imgs]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// The configuration file to read [default: ./kiln.toml if it is there]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Remove pictures older than this: 90s, 30m, 1h, 2d [default: 1h]
    #[arg(long, value_name = "TIME")]
    ttl: Option<TimeSpan>,
    /// Keep at most this many pictures; the oldest go first [default: 10000]
    #[arg(long, value_name = "N")]
    max_count: Option<u64>,
    /// Keep at most this much: 500MB, 1GB, or bytes; the oldest go first [default: 1GiB]
    #[arg(long, value_name = "SIZE")]
    max_size: Option<ByteSize>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let config = Config::load(args.config.as_deref(), environment()?)?.images;
    let folder = args.folder.as_ref().unwrap_or(&config.folder);
    // A folder that is not there is not made just to be found empty.
    std::fs::read_dir(folder).map_err(|error| Error::io(folder, "read", error))?;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let keep = RetentionLimits {
        ttl_s: args.ttl.unwrap_or(config.ttl).as_secs(),
        max_count: args.max_count.unwrap_or(config.max_count),
        max_bytes: args.max_size.unwrap_or(config.max_size).bytes(),
        ..RetentionLimits::default()
    };
    let swept = ImageFolder::open(folder)?.sweep(&keep, now_s)?;
    say(&format!(
        "removed {} past their time, {} beyond the limits, {} in all, and {}",
        plural(swept.expired, "picture"),
        swept.evicted,
        indicatif::HumanBytes(swept.bytes),
        plural(swept.unfinished, "unfinished file"),
    ));
    if swept.failed > 0 {
        let why = std::io::Error::other(format!("the system refused {}", plural(swept.failed, "file")));
        return Err(Error::io(folder, "remove everything from", why));
    }
    Ok(())
}
