//! `kiln clean`: sweeps a folder of pictures once.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args as ClapArgs;

use super::say;
use super::summary::plural;
use crate::error::{Error, Result};
use crate::images::{ImageFolder, Keep};

/// Remove old pictures from a folder, once.
///
/// Only pictures that Kiln named go, such as 1732158000-67e5504410b1426f9247bb680e5fe0c8.png, and its own unfinished files
/// that are older than ten minutes.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// The folder of pictures
    #[arg(value_name = "DIR", default_value = "imgs")]
    folder: PathBuf,
    /// Remove pictures older than this: 90s, 30m, 1h, 2d
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = read_duration_s)]
    ttl: u64,
    /// Keep at most this many pictures; the oldest go first
    #[arg(long, value_name = "N", default_value_t = Keep::default().max_count)]
    max_count: u64,
    /// Keep at most this much: 500MB, 1GB, or bytes; the oldest go first
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = read_size_bytes)]
    max_size: u64,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    if !args.folder.is_dir() {
        return Err(Error::io(&args.folder, "read", std::io::ErrorKind::NotFound.into()));
    }
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let keep = Keep { ttl_s: args.ttl, max_count: args.max_count, max_bytes: args.max_size, ..Keep::default() };
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

/// A number and the factor of the unit behind it.
fn read_with_unit(text: &str, units: &[(&str, f64)]) -> Option<u64> {
    let unit_at = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let number: f64 = number.trim().parse().ok().filter(|number: &f64| *number >= 0.0 && number.is_finite())?;
    let (_, factor) = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?;
    Some((number * factor) as u64)
}

fn read_duration_s(text: &str) -> Result<u64> {
    let units = [("", 1.0), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86_400.0)];
    read_with_unit(text, &units).ok_or_else(|| Error::invalid("ttl", "not a time such as 90s, 30m, 1h or 2d"))
}

fn read_size_bytes(text: &str) -> Result<u64> {
    let units = [
        ("", 1.0),
        ("B", 1.0),
        ("kB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("KiB", 1024.0),
        ("MiB", 1024.0 * 1024.0),
        ("GiB", 1024.0 * 1024.0 * 1024.0),
    ];
    read_with_unit(text, &units).ok_or_else(|| Error::invalid("max-size", "not a size such as 500MB or 1GiB"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn times_and_sizes_are_read() {
        assert_eq!(read_duration_s("90").unwrap(), 90);
        assert_eq!(read_duration_s("1.5h").unwrap(), 5400);
        assert_eq!(read_size_bytes("1GiB").unwrap(), 1 << 30);
        assert_eq!(read_size_bytes("500 mb").unwrap(), 500_000_000);
        for bad in ["", "-1s", "1 fortnight", "h", "nan"] {
            assert!(read_duration_s(bad).is_err() && read_size_bytes(bad).is_err(), "{bad}");
        }
    }
}
