//! `kiln layers`: lists the layers of the store.

use std::io::Write;

use clap::Args as ClapArgs;
use indicatif::HumanBytes;
use serde::Serialize;

use super::store::{StoreArgs, second_of, time_of};
use super::summary::grouped;
use super::visible::visible;
use super::{print_json, print_message};
use crate::error::{Error, Result};
use crate::store::Store;

/// List the layers of the store.
///
/// Damaged layers and segments are listed and not counted; the exit code is then 1. `kiln layer NAME` prints details.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln layers
  kiln layers --json | jq -r '.[].name'")]
pub(super) struct Args {
    #[command(flatten)]
    store: StoreArgs,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
}

/// A layer in the list.
#[derive(Debug, Default, Serialize)]
struct Row {
    name: String,
    points: u64,
    /// `EPSG:4326`, or `plane` for meters; `None` if the manifest is damaged.
    crs: Option<String>,
    segments: usize,
    bytes: u64,
    /// The time of the last change; `None` if the manifest is damaged.
    changed: Option<String>,
    /// The first and last time of the points.
    time: Option<[String; 2]>,
    damaged: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let store = args.store.open()?;
    let rows: Vec<Row> =
        store.names()?.into_iter().filter_map(|name| row(&store, name).transpose()).collect::<Result<_>>()?;
    if args.json {
        print_json(&rows)?;
    } else if rows.is_empty() {
        print_message(&format!("{}: no layers; `kiln import` creates one", store.folder().display()));
    } else {
        print_table(&rows).map_err(|error| Error::io("-", "write", error))?;
    }
    let damaged: Vec<&str> = rows.iter().filter(|row| !row.damaged.is_empty()).map(|row| row.name.as_str()).collect();
    if damaged.is_empty() {
        return Ok(());
    }
    Err(Error::input(store.folder(), format!("damaged: {}; `kiln layer NAME` prints details", damaged.join(", "))))
}

/// Creates the row of a layer; `None` if the layer was removed concurrently.
fn row(store: &Store, name: String) -> Result<Option<Row>> {
    let layer = match store.layer(&name) {
        Ok(Some(layer)) => layer,
        Ok(None) => return Ok(None),
        // A damaged layer is listed with its error.
        Err(error @ (Error::Input { .. } | Error::DamagedManifest { .. })) => {
            return Ok(Some(Row { name, damaged: vec![error.to_string()], ..Row::default() }));
        }
        Err(error) => return Err(error),
    };
    let snapshot = layer.snapshot();
    let summary = snapshot.summary();
    let [_, changed_s] = snapshot.created_and_changed_s();
    Ok(Some(Row {
        name,
        points: summary.points,
        crs: Some(snapshot.coordinate_space().to_string()),
        segments: summary.segments,
        bytes: summary.bytes,
        changed: Some(second_of(changed_s)),
        time: summary.time_us.map(|times| times.map(time_of)),
        damaged: snapshot.damaged().iter().map(|damage| damage.reason.clone()).collect(),
    }))
}

fn print_table(rows: &[Row]) -> std::io::Result<()> {
    const NONE: &str = "-";
    let heading =
        ["name", "points", "segments", "size", "crs", "changed", "first", "last", "damaged"].map(str::to_owned);
    let cells = rows.iter().map(|row| {
        let [first, last] = row.time.clone().unwrap_or_else(|| [NONE; 2].map(str::to_owned));
        [
            row.name.clone(),
            grouped(row.points),
            grouped(row.segments as u64),
            HumanBytes(row.bytes).to_string(),
            row.crs.clone().unwrap_or_else(|| NONE.into()),
            row.changed.clone().unwrap_or_else(|| NONE.into()),
            first,
            last,
            if row.damaged.is_empty() { NONE.into() } else { grouped(row.damaged.len() as u64) },
        ]
    });
    let table: Vec<[String; 9]> = std::iter::once(heading).chain(cells).collect();
    let width = |column: usize| table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; 9] = std::array::from_fn(width);
    let mut out = std::io::stdout().lock();
    for row in &table {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            let padding = " ".repeat(width - cell.chars().count());
            // Numbers are right-aligned.
            let is_number = (1..=3).contains(&column);
            let parts = if is_number { [&padding, cell] } else { [cell, &padding] };
            line.extend(parts.map(String::as_str));
            line.push_str("  ");
        }
        writeln!(out, "{}", visible(line.trim_end()))?;
    }
    out.flush()
}
