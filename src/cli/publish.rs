//! `kiln publish`: publishes layers of the store in a bucket.

use std::time::Instant;

use clap::Args as ClapArgs;
use indicatif::HumanBytes;

use super::signals::run_cancellable;
use super::store::{StoreArgs, read_name, unknown_layer};
use super::summary::plural;
use super::{print_message, progress};
use crate::bucket;
use crate::config::TimeSpan;
use crate::error::{Error, Result};
use crate::parameter::Parameter;
use crate::store::{Bucket, CopyProgress, PublishOptions, PublishReport, Store, unpublish};

/// Publish layers in a bucket, from which replicas copy and serve them.
///
/// Files that the bucket lacks are uploaded first, and then the manifest of the layer is replaced, if no other process has
/// replaced it since. So the bucket has the previous version or the new one, also if the command is killed. A version that the
/// bucket has is not uploaded again. Files of earlier versions stay for the grace time, and are removed by a later
/// publication. `kiln serve --store URL` is a replica.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln publish --to s3://bucket/maps
  kiln publish trips stops --to s3://bucket/maps
  kiln publish --to file:///mnt/share/maps
  kiln publish --remove trips --to s3://bucket/maps")]
pub(super) struct Args {
    /// Names of the layers [default: all layers of the store]
    #[arg(value_name = "LAYER", value_parser = read_name)]
    layers: Vec<String>,
    /// URL of the bucket: `s3://bucket/maps`, `gs://bucket/maps`, `az://container/maps` or `file:///srv/maps` [default:
    /// store.publish of the configuration]
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Remove this layer from the bucket, and from all replicas; repeatable
    #[arg(long, value_name = "LAYER", value_parser = read_name, conflicts_with = "layers")]
    remove: Vec<String>,
    /// Replace a newer version, another layer of the same name, or a manifest that cannot be read
    #[arg(long)]
    force: bool,
    /// Time for which files of earlier versions stay, for replicas that copy them: 1h, 1d; at most 7d
    /// [default: 1h]
    #[arg(long, value_name = "TIME", value_parser = read_grace)]
    grace: Option<TimeSpan>,
    #[command(flatten)]
    store: StoreArgs,
    /// Print errors only
    #[arg(short, long)]
    quiet: bool,
}

/// The flag of the bucket.
const TO: Parameter = Parameter::new("to");

/// Parses a grace time.
fn read_grace(text: &str) -> Result<TimeSpan> {
    const MAX_S: u64 = 7 * 86_400;
    let grace = TimeSpan::parse_with_unit(text)?;
    if grace.as_secs() > MAX_S {
        return Err(Error::invalid(Parameter::new("grace"), "exceeds 7d"));
    }
    Ok(grace)
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let missing = || Error::invalid(TO, "required, unless store.publish of the configuration names a bucket");
    let url = match &args.to {
        Some(url) => url.clone(),
        None => args.store.load()?.store.publish.ok_or_else(missing)?,
    };
    let bucket = bucket::open(&url)?;
    let defaults = PublishOptions::default();
    let grace = args.grace.map_or(defaults.grace, TimeSpan::duration);
    let options = PublishOptions { grace, force: args.force, ..defaults };
    if !args.remove.is_empty() {
        return args.remove.iter().try_for_each(|name| remove(args, name, &*bucket, &options));
    }
    let store = args.store.open_for_changes()?;
    let names = if args.layers.is_empty() { store.names()? } else { args.layers.clone() };
    if names.is_empty() {
        return Err(Error::input(store.folder(), "the store has no layers; `kiln import` creates one"));
    }
    // A typing error must not leave some layers published.
    for name in &names {
        store.layer(name)?.ok_or_else(|| unknown_layer(&store, name))?;
    }
    names.iter().try_for_each(|name| publish(args, &store, name, &*bucket, &options))
}

/// Publishes a layer, and prints a summary.
fn publish(args: &Args, store: &Store, name: &str, to: &dyn Bucket, options: &PublishOptions) -> Result<()> {
    let start = Instant::now();
    let copy = CopyProgress::default();
    let stop = || {
        copy.stop();
        bucket::cancel_transfers();
    };
    let work = || run_cancellable(stop, || store.publish(name, to, options, &copy));
    let report = progress::with_upload_progress(args.quiet, &copy, work).map_err(|error| match error {
        Error::Cancelled => {
            Error::input(name, "cancelled; the bucket has the previous version, and a repetition continues")
        }
        error => error,
    })?;
    if !args.quiet {
        print_message(&summary(name, &report, to.url(), start.elapsed().as_secs_f64()));
    }
    Ok(())
}

fn summary(name: &str, report: &PublishReport, url: &str, seconds: f64) -> String {
    let PublishReport { version, is_new, files, uploaded, bytes, removed } = report;
    let mut line = match (is_new, uploaded) {
        (false, 0) => format!("{name}: version {version} is published already"),
        (false, _) => format!("{name}: version {version} was published already, but files were missing"),
        (true, _) => format!("{name}: published version {version}"),
    };
    if *is_new || *uploaded > 0 {
        let size = HumanBytes(*bytes);
        line.extend([&*format!(", uploaded {uploaded} of {}, {size}, in {seconds:.3} s", plural(*files, "file"))]);
    }
    if *removed > 0 {
        line.extend([", removed ", &*plural(*removed, "file"), " of earlier versions"]);
    }
    format!("{line}: {url}")
}

/// Removes a layer from the bucket.
fn remove(args: &Args, name: &str, bucket: &dyn Bucket, options: &PublishOptions) -> Result<()> {
    if !unpublish(name, bucket, options)? {
        return Err(Error::input(bucket.url(), format!("the bucket has no layer `{name}`")));
    }
    if !args.quiet {
        print_message(&format!("{name}: removed from {}; replicas remove it at their next check", bucket.url()));
    }
    Ok(())
}
