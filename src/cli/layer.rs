//! `kiln layer`: prints the properties of a layer.

use std::collections::BTreeMap;
use std::io::Write;

use clap::Args as ClapArgs;
use indicatif::HumanBytes;
use serde::Serialize;

use super::print_json;
use super::store::{self, StoreArgs, second_of, time_of};
use super::summary::{grouped, plural, short};
use super::visible::visible;
use crate::config::TimeSpan;
use crate::error::{Error, Result};
use crate::layer::weight_label;
use crate::store::{Damage, PartitionSummary, Snapshot, StoredLayer};

/// Print the properties of a layer of the store.
///
/// Damaged segments are listed and not counted; the exit code is then 1. Small segments are verified whenever they are
/// opened, large ones when they are first read, or with --verify.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln layer trips
  kiln layer trips --json | jq .time
  kiln layer trips --verify")]
pub(super) struct Args {
    /// Name of the layer
    name: String,
    #[command(flatten)]
    store: StoreArgs,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    /// Read all files and verify their checksums
    #[arg(long)]
    verify: bool,
}

/// The maximum number of categories to list.
const MAX_CATEGORIES: usize = 20;

#[derive(Debug, Serialize)]
struct LayerInfo {
    name: String,
    title: Option<String>,
    attribution: Option<String>,
    points: u64,
    /// The level of the bins; omitted if the rows are points.
    #[serde(skip_serializing_if = "Option::is_none")]
    bins: Option<u32>,
    /// `EPSG:4326`, or `plane` for meters.
    crs: String,
    /// West, south, east, north in degrees; across the antimeridian, east is greater than 180. On a plane in meters.
    bounds: Option<[f64; 4]>,
    time: Option<Times>,
    /// The columns except longitude and latitude.
    columns: Vec<&'static str>,
    weight: Option<Weights>,
    categories: Option<Categories>,
    style: BTreeMap<String, String>,
    keep_s: Option<u64>,
    version: String,
    segments: usize,
    bytes: u64,
    created: String,
    changed: String,
    /// Whether the checksums of all files were verified.
    verified: bool,
    damaged: Vec<Damaged>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    partitions: Vec<Part>,
}

#[derive(Debug, Serialize)]
struct Part {
    name: String,
    points: u64,
}

#[derive(Debug, Serialize)]
struct Times {
    first: String,
    last: String,
    /// The number of points without a time.
    without: u64,
}

#[derive(Debug, Serialize)]
struct Weights {
    name: String,
    sum: f64,
    min: f64,
    max: f64,
    mean: f64,
}

#[derive(Debug, Serialize)]
struct Categories {
    count: usize,
    /// The first categories by name.
    first: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Damaged {
    points: u64,
    reason: String,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let store = args.store.open()?;
    let layer = store::layer(&store, &args.name)?;
    if args.verify {
        layer.verify();
    }
    let info = LayerInfo::of(&layer, &layer.snapshot(), args.verify);
    if args.json {
        print_json(&info)?;
    } else {
        info.print().map_err(|error| Error::io("-", "write", error))?;
    }
    if info.damaged.is_empty() {
        return Ok(());
    }
    let reasons: Vec<String> = info.damaged.iter().map(|damaged| Damage::cause(&damaged.reason)).collect();
    let segments = plural(reasons.len() as u64, "segment");
    Err(Error::input(layer.folder(), format!("{segments} damaged: {}", reasons.join("; "))))
}

impl LayerInfo {
    fn of(layer: &StoredLayer, snapshot: &Snapshot, verified: bool) -> Self {
        let summary = snapshot.summary();
        let description = snapshot.description();
        let space = snapshot.coordinate_space();
        let [created_s, changed_s] = snapshot.created_and_changed_s();
        let mut columns = Vec::new();
        columns.extend(summary.weight.map(|_| "weight"));
        columns.extend(summary.time_us.map(|_| "time"));
        columns.extend((!summary.categories.is_empty()).then_some("category"));
        let partitions = snapshot.partitions().into_iter();
        let damaged = |damage: &Damage| Damaged { points: damage.points, reason: damage.reason.clone() };
        Self {
            name: layer.name().to_owned(),
            title: description.title.clone(),
            attribution: description.attribution.clone(),
            points: summary.points,
            bins: snapshot.level(),
            crs: space.to_string(),
            bounds: snapshot
                .extent()
                .bounds(space.wraps())
                .map(|bounds| [bounds.west, bounds.south, bounds.east, bounds.north]),
            time: summary.time_us.map(|[first, last]| Times {
                first: time_of(first),
                last: time_of(last),
                without: summary.untimed,
            }),
            columns,
            weight: summary.weight.map(|[sum, min, max]| Weights {
                name: weight_label(description.weight.as_deref()).to_owned(),
                sum,
                min,
                max,
                mean: sum / summary.points as f64,
            }),
            categories: (!summary.categories.is_empty()).then(|| Categories {
                count: summary.categories.len(),
                first: summary.categories.iter().take(MAX_CATEGORIES).cloned().collect(),
            }),
            style: description.style.clone(),
            keep_s: description.keep_s,
            version: snapshot.version(),
            segments: summary.segments,
            bytes: summary.bytes,
            created: second_of(created_s),
            changed: second_of(changed_s),
            verified,
            damaged: snapshot.damaged().iter().map(damaged).collect(),
            partitions: partitions.map(|PartitionSummary { name, points, .. }| Part { name, points }).collect(),
        }
    }

    /// Prints one property per line.
    fn print(&self) -> std::io::Result<()> {
        let mut lines = vec![("name", self.name.clone())];
        lines.extend(self.title.clone().map(|title| ("title", title)));
        lines.extend(self.attribution.clone().map(|attribution| ("attribution", attribution)));
        lines.push(("points", grouped(self.points)));
        lines.extend(self.bins.map(|level| ("bins", format!("level {level}"))));
        lines.push(("crs", self.crs.clone()));
        lines.extend(self.bounds.map(|bounds| {
            let edges = bounds.map(|edge| ((edge * 1e6).round() / 1e6).to_string());
            ("bounds", edges.join(","))
        }));
        lines.extend(self.time.as_ref().map(|Times { first, last, without }| {
            let without = if *without > 0 { format!(", {} without", plural(*without, "point")) } else { String::new() };
            ("time", format!("{first} to {last}{without}"))
        }));
        lines.extend(self.weight.as_ref().map(|Weights { name, sum, min, max, mean }| {
            let [sum, min, max, mean] = [sum, min, max, mean].map(|value| short(*value));
            ("weight", format!("{name}: sum {sum}, min {min}, max {max}, mean {mean}"))
        }));
        lines.extend(self.categories.as_ref().map(|Categories { count, first }| {
            let more = if *count > first.len() { ", …" } else { "" };
            ("categories", format!("{}: {}{more}", grouped(*count as u64), first.join(", ")))
        }));
        if !self.style.is_empty() {
            let style: Vec<String> = self.style.iter().map(|(name, value)| format!("{name}={value}")).collect();
            lines.push(("style", style.join(" ")));
        }
        lines.extend(self.keep_s.map(|seconds| ("keep", TimeSpan::from_secs(seconds).to_string())));
        lines.push(("version", self.version.clone()));
        lines.push(("segments", grouped(self.segments as u64)));
        if let (Some(first), Some(last)) = (self.partitions.first(), self.partitions.last()) {
            let count = grouped(self.partitions.len() as u64);
            let names = if first.name == last.name { String::new() } else { format!(" to {}", last.name) };
            lines.push(("partitions", format!("{count}: {}{names}", first.name)));
        }
        lines.push(("size", HumanBytes(self.bytes).to_string()));
        lines.push(("created", self.created.clone()));
        lines.push(("changed", self.changed.clone()));
        if self.verified && self.damaged.is_empty() {
            lines.push(("verified", "all checksums match".into()));
        }
        for Damaged { points, reason } in &self.damaged {
            lines.push(("damaged", format!("{} not counted: {reason}", plural(*points, "point"))));
        }
        let mut out = std::io::stdout().lock();
        for (name, value) in lines {
            writeln!(out, "{name:<12}{}", visible(&value.replace('\n', " ")))?;
        }
        out.flush()
    }
}
