//! `kiln clean`: removes old pictures from a folder.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args as ClapArgs;

use super::config::environment;
use super::print_message;
use super::summary::plural;
use crate::config::{ByteSize, Config, TimeSpan};
use crate::error::{Error, Result};
use crate::images::{ImageFolder, RetentionLimits};

/// Remove old pictures from a folder, once.
///
/// Only files named by Kiln are removed, such as 1732158000-67e5504410b1426f9247bb680e5fe0c8.png, and its unfinished
/// files older than ten minutes. The defaults are those of the server's configuration: ./kiln.toml, and environment
/// variables such as `KILN_IMAGES_TTL`.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Folder of the pictures [default: imgs]
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Configuration file [default: ./kiln.toml if it exists]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Remove pictures older than this: 90s, 30m, 1h, 2d [default: 1h]
    #[arg(long, value_name = "TIME")]
    ttl: Option<TimeSpan>,
    /// Maximum number of pictures; the oldest are removed first [default: 10000]
    #[arg(long, value_name = "N")]
    max_count: Option<u64>,
    /// Maximum size of all pictures: 500MB, 1GB, or bytes; the oldest are removed first [default: 1GiB]
    #[arg(long, value_name = "SIZE")]
    max_size: Option<ByteSize>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let config = Config::load(args.config.as_deref(), environment()?)?.images;
    let folder = args.folder.as_ref().unwrap_or(&config.folder);
    // `ImageFolder::open` would create a missing folder.
    std::fs::read_dir(folder).map_err(|error| Error::io(folder, "read", error))?;
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let keep = RetentionLimits {
        ttl_s: args.ttl.unwrap_or(config.ttl).as_secs(),
        max_count: args.max_count.unwrap_or(config.max_count),
        max_bytes: args.max_size.unwrap_or(config.max_size).bytes(),
        ..RetentionLimits::default()
    };
    let report = ImageFolder::open(folder)?.sweep(&keep, now_s)?;
    print_message(&format!(
        "removed {} older than the TTL, {} beyond the limits, {} in total, and {}",
        plural(report.expired, "picture"),
        report.evicted,
        indicatif::HumanBytes(report.bytes),
        plural(report.unfinished, "unfinished file"),
    ));
    if report.failed > 0 {
        let detail = std::io::Error::other(format!("{} could not be removed", plural(report.failed, "file")));
        return Err(Error::io(folder, "remove all old files from", detail));
    }
    Ok(())
}
