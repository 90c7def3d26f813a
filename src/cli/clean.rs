//! `kiln clean`: sweeps a folder of pictures once.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args as ClapArgs;

use super::say;
use super::summary::plural;
use crate::config::{ByteSize, ImagesConfig, TimeSpan};
use crate::error::{Error, Result};
use crate::images::{ImageFolder, Keep};

/// Remove old pictures from a folder, once.
///
/// Only pictures that Kiln named go, such as 1732158000-67e5504410b1426f9247bb680e5fe0c8.png, and its own unfinished files
/// that are older than ten minutes.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The folder of pictures
    #[arg(value_name = "DIR", default_value_os_t = ImagesConfig::default().folder)]
    folder: PathBuf,
    /// Remove pictures older than this: 90s, 30m, 1h, 2d
    #[arg(long, value_name = "TIME", default_value_t = ImagesConfig::default().ttl)]
    ttl: TimeSpan,
    /// Keep at most this many pictures; the oldest go first
    #[arg(long, value_name = "N", default_value_t = ImagesConfig::default().max_count)]
    max_count: u64,
    /// Keep at most this much: 500MB, 1GB, or bytes; the oldest go first
    #[arg(long, value_name = "SIZE", default_value_t = ImagesConfig::default().max_size)]
    max_size: ByteSize,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    if !args.folder.is_dir() {
        return Err(Error::io(&args.folder, "read", std::io::ErrorKind::NotFound.into()));
    }
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let keep = Keep {
        ttl_s: args.ttl.as_secs(),
        max_count: args.max_count,
        max_bytes: args.max_size.bytes(),
        ..Keep::default()
    };
    let swept = ImageFolder::open(&args.folder)?.sweep(&keep, now_s)?;
    say(&format!(
        "removed {} past their time, {} beyond the limits, {} in all, and {}",
        plural(swept.expired, "picture"),
        swept.evicted,
        indicatif::HumanBytes(swept.bytes),
        plural(swept.unfinished, "unfinished file"),
    ));
    if swept.failed > 0 {
        let why = std::io::Error::other(format!("the system refused {}", plural(swept.failed, "file")));
        return Err(Error::io(&args.folder, "remove everything from", why));
    }
    Ok(())
}
