//! `kiln import`: from files to a stored layer.

use std::time::Instant;

use clap::Args as ClapArgs;

use super::inputs::expanded;
use super::rows::RowArgs;
use super::signals::stoppable;
use super::store::{StoreArgs, read_name};
use super::{note, progress, say, summary};
use crate::config::TimeSpan;
use crate::error::{Error, Result};
use crate::inputs::OpenInputs;
use crate::layer::{StyleOptions, remarks};
use crate::parameter::Parameter;
use crate::parameters::ParameterSet;
use crate::source::{self, Columns};
use crate::store::{Description, ExistingPoints, ImportReport, Progress, Store, StoredLayer};

/// Bring points from files into a layer that is kept on the disk.
///
/// Reads what `kiln render` reads. All inputs together are one change: the layer has all of their points in the end, or is
/// as it was, whatever happens in between. A server that serves the store shows them at once. Points keep their weight,
/// time and category; those beyond 85.05° north or south, where web maps end, are left out.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln import cities.parquet --layer cities --weight population
  kiln import 'trips/*.csv.gz' --layer trips --append --keep 30d
  kiln import 'postgres://ann@db.example/maps?table=stops' --layer stops
  kiln import visits.parquet --layer visits --title Visits --style radius=12 --style curve=sqrt
  psql -c \"copy stops to stdout csv header\" | kiln import - --layer stops --replace")]
pub(super) struct Args {
    /// Files with points, or quoted patterns of files such as 'data/*.csv'; `-` reads standard input, and postgres://… a table
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// The layer; without --append or --replace it is a new one
    #[arg(long, value_name = "NAME", value_parser = read_name)]
    layer: String,
    /// Add the points to those that the layer has
    #[arg(long, conflicts_with = "replace")]
    append: bool,
    /// Put the points in the place of those that the layer has
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    store: StoreArgs,
    /// Worker threads [default: one per processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,

    /// What people call the layer [default: its name]
    #[arg(long, value_name = "TEXT", help_heading = "Description")]
    title: Option<String>,
    /// Whom to thank for the points
    #[arg(long, value_name = "TEXT", help_heading = "Description")]
    attribution: Option<String>,
    /// How old points may become before the server removes them, by their own times: 90s, 30m, 1h, 30d [default: any age]
    #[arg(long, value_name = "TIME", value_parser = read_keep, help_heading = "Description")]
    keep: Option<TimeSpan>,

    /// How the layer is drawn unless asked otherwise, a parameter at a time: radius=12, curve=sqrt, scheme=viridis, …
    #[arg(long, value_name = "NAME=VALUE", value_parser = read_style, help_heading = "Description")]
    style: Vec<(String, String)>,

    #[command(flatten)]
    rows: RowArgs,
}

fn read_style(text: &str) -> Result<(String, String)> {
    let why =
        || Error::invalid(Parameter::STYLE, format!("`{text}` is not a parameter with its value, such as radius=12"));
    let (name, value) = text.split_once('=').ok_or_else(why)?;
    if StyleOptions::default().set(name, value)? {
        return Ok((name.to_owned(), value.to_owned()));
    }
    Err(Error::invalid(
        Parameter::STYLE,
        format!("there is no `{name}`; expected one of {}", StyleOptions::names().collect::<Vec<_>>().join(", ")),
    ))
}

fn read_keep(text: &str) -> Result<TimeSpan> {
    text.parse().and_then(|span: TimeSpan| match span.as_secs() {
        0 => Err(Error::invalid(Parameter::KEEP, "nothing would stay; give 1s or more")),
        _ => Ok(span),
    })
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    args.rows.check()?;
    let store = args.store.open()?;
    store.sweep();
    let before = store.layer(&args.layer)?;
    if before.is_some() && !args.append && !args.replace {
        let why = format!(
            "there is a layer `{}` already; give --append to add the points to it, or --replace to put them in the place \
             of those that it has",
            args.layer
        );
        return Err(Error::invalid(Parameter::LAYER, why));
    }
    let opened = OpenInputs::open(&expanded(&args.inputs)?, &args.rows.columns(), &args.rows.read_options())?;

    let stages = Progress::default();
    let import = || args.import(&store, before.as_deref(), &opened, &stages);
    let imported = stoppable(|| stages.stop(), import).map_err(|error| match error {
        Error::Cancelled => Error::input(&args.layer, "stopped; the layer is as it was"),
        other => other,
    })?;
    if !args.quiet {
        note(&remarks(&imported.report, Parameter::flag));
        say(&args.summary(&store, &imported, start)?);
    }
    Ok(())
}

impl Args {
    /// Brings the points into the layer, which is a new one unless it was there before.
    fn import(
        &self,
        store: &Store,
        before: Option<&StoredLayer>,
        opened: &OpenInputs,
        stages: &Progress,
    ) -> Result<ImportReport> {
        let Some(layer) = before else {
            let known = Description { weight: opened.weight.clone(), ..Description::default() };
            let description = self.description(known);
            let fill = |layer: &StoredLayer| {
                let imported = self.fill(layer, None, opened, stages)?;
                self.require_points(&imported, opened).map(|()| imported)
            };
            return store.create_with(&self.layer, description, fill);
        };
        let description = self.describes().then(|| self.description(layer.snapshot().description().clone()));
        let imported = self.fill(layer, description.clone(), opened, stages)?;
        if self.append && imported.report.read == 0 {
            // A day without rows is no failure of whatever appends daily.
            description.map_or(Ok(()), |description| layer.set_description(description))?;
        } else {
            self.require_points(&imported, opened)?;
        }
        Ok(imported)
    }

    fn fill(
        &self,
        layer: &StoredLayer,
        description: Option<Description>,
        opened: &OpenInputs,
        stages: &Progress,
    ) -> Result<ImportReport> {
        let existing = if self.replace { ExistingPoints::Replace } else { ExistingPoints::Keep };
        let threads = self.threads.map_or_else(crate::available_threads, usize::from);
        let read = source::Progress::default();
        let query = self.rows.query().with_progress(Some(&read));
        let import = || layer.import(&opened.inputs, &query, existing, description, threads, stages);
        progress::shown_stages(self.quiet, &read, stages, import)
    }

    /// Makes sure that points were added.
    fn require_points(&self, imported: &ImportReport, opened: &OpenInputs) -> Result<()> {
        /// More files than that are named by what was said.
        const NAMED: usize = 4;
        if imported.points > 0 {
            return Ok(());
        }
        let named = if opened.names.len() <= NAMED { &opened.names } else { &self.inputs };
        imported.report.require_points(named)?;
        let why = if imported.beyond_map > 0 {
            "all points lie beyond 85.05° north or south, where web maps end"
        } else {
            "no row passes --start, --end and --category"
        };
        Err(Error::input(named.join(", "), why))
    }

    /// Whether anything is said of the layer itself.
    fn describes(&self) -> bool {
        self.title.is_some()
            || self.attribution.is_some()
            || self.keep.is_some()
            || self.rows.weight().is_some()
            || !self.style.is_empty()
    }

    /// What is said of the layer, over what is known of it.
    fn description(&self, mut known: Description) -> Description {
        known.style.extend(self.style.iter().cloned());
        // The weights that the layer has keep their name.
        let is_kept = self.append && known.weight.is_some();
        let weight = self.rows.weight().filter(|name| !is_kept || *name != Columns::NO_COLUMN).map(str::to_owned);
        Description {
            title: self.title.clone().or(known.title),
            attribution: self.attribution.clone().or(known.attribution),
            weight: weight.or(known.weight),
            keep_s: self.keep.map(TimeSpan::as_secs).or(known.keep_s),
            ..known
        }
    }

    fn summary(&self, store: &Store, imported: &ImportReport, start: Instant) -> Result<String> {
        let layer = super::store::layer(store, &self.layer)?;
        let mut line = summary::imported(imported, &self.layer, &layer.snapshot().summary(), start.elapsed());
        if self.keep.is_some() && layer.snapshot().summary().time_us.is_none() {
            line.push_str("; no point has a time, so --keep removes none");
        }
        Ok(line)
    }
}
