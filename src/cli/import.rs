//! `kiln import`: imports files into a stored layer.

use std::time::Instant;

use clap::Args as ClapArgs;

use super::confirm;
use super::flags::whole_number;
use super::retention::RetainedImport;
use super::rows::RowArgs;
use super::run_folder::{RunInputs, is_older_run};
use super::signals::run_cancellable;
use super::store::{StoreArgs, read_name};
use super::{damage, print_message, print_notes, progress, summary};
use crate::config::TimeSpan;
use crate::error::{Error, Result};
use crate::inputs::OpenInputs;
use crate::layer::{StyleOptions, remarks};
use crate::parameter::Parameter;
use crate::parameters::ParameterSet;
use crate::postgis::Address;
use crate::source::{self, Columns, CoordinateSpace};
use crate::spelling::{did_you_mean, nearest_of};
use crate::store::{Description, ExistingPoints, ImportReport, Partition, Progress, Store, StoredLayer};

/// Import points from files into a layer of the store.
///
/// The input formats are those of `kiln render`. The import is atomic: the layer gets the points of all inputs, or is
/// unchanged. A running server of the store serves them immediately. Weights, times and categories are stored; points
/// beyond 85.05° north or south, the limit of web maps, are dropped. With --crs plane, the layer is on a plane in meters,
/// such as a floor plan.
///
/// With --partition, the points replace those of the partition, such as a day, and all others stay: import a day again when
/// late data arrives. A second import of the same files changes nothing.
///
/// A folder is the run of an engine such as Spark. It is rejected if it has files part-* but no _SUCCESS, if its totals.json
/// has other counts, or if it has two folders run=….
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln import cities.parquet --layer cities --weight population
  kiln import 'trips/*.csv.gz' --layer trips --append
  kiln import floor.csv --layer floor --crs plane
  kiln import bins/2026-11-28 --layer trips --partition 2026-11-28
  kiln import 's3://lake/trips/day=2026-11-*/*.parquet' --layer trips
  kiln import 'postgres://ann@db.example/maps?table=stops' --layer stops
  kiln import visits.parquet --layer visits --title Visits --style radius=12 --style curve=sqrt
  psql -c \"copy stops to stdout csv header\" | kiln import - --layer stops --replace")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag")]
pub(super) struct Args {
    /// Files with points, folders of them, or quoted patterns of files such as 'data/*.csv', also in buckets: s3://, gs://,
    /// az://, https://; `-` reads standard input, and postgres://… a table
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// Name of the layer; it must not exist without --append, --replace or --partition
    #[arg(long, value_name = "NAME", value_parser = read_name)]
    layer: String,
    /// Add the points to an existing layer
    #[arg(long, conflicts_with = "replace")]
    append: bool,
    /// Replace the points of an existing layer
    #[arg(long)]
    replace: bool,
    /// Replace the points of a partition of the layer, such as 2026-11-28, and keep all others
    #[arg(long, value_name = "NAME", value_parser = read_partition, conflicts_with_all = ["append", "replace"])]
    partition: Option<String>,
    /// Import even if the retention of the layer removes half of the points, or more, at once
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    store: StoreArgs,
    /// Worker threads [default: one per processor]
    #[arg(long, value_name = "N", value_parser = whole_number::<u16>(1..=1024))]
    threads: Option<u16>,
    /// Print errors only
    #[arg(short, long)]
    quiet: bool,

    /// Title of the layer [default: its name]
    #[arg(long, value_name = "TEXT", help_heading = "Description")]
    title: Option<String>,
    /// Attribution of the points
    #[arg(long, value_name = "TEXT", help_heading = "Description")]
    attribution: Option<String>,
    /// Retention: the server removes points whose time is older than 90s, 30m, 1h or 30d, for data that arrives
    /// continuously [default: unlimited]
    #[arg(long, value_name = "TIME", value_parser = TimeSpan::parse_age, help_heading = "Description")]
    keep: Option<TimeSpan>,

    /// Default style parameter of the layer: radius=12, curve=sqrt, scheme=viridis, …; repeatable
    #[arg(long, value_name = "NAME=VALUE", value_parser = read_style, help_heading = "Description")]
    style: Vec<(String, String)>,

    #[command(flatten)]
    rows: RowArgs,
}

/// Parses the name of a partition.
pub(super) fn read_partition(name: &str) -> Result<String> {
    Partition::check_name(name).map(|()| name.to_owned())
}

fn read_style(text: &str) -> Result<(String, String)> {
    let malformed = || Error::invalid(Parameter::STYLE, format!("`{text}` is not NAME=VALUE, such as radius=12"));
    let (name, value) = text.split_once('=').ok_or_else(malformed)?;
    if StyleOptions::default().set(name, value)? {
        return Ok((name.to_owned(), value.to_owned()));
    }
    Err(Error::invalid(
        Parameter::STYLE,
        format!(
            "unknown style parameter `{name}`; {}expected one of {}",
            did_you_mean(&nearest_of(name, StyleOptions::names(), [])),
            StyleOptions::names().collect::<Vec<_>>().join(", ")
        ),
    ))
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    args.rows.check()?;
    let store = args.store.open_for_changes()?;
    store.sweep();
    let before = store.layer(&args.layer)?;
    if before.is_some() && !args.append && !args.replace && args.partition.is_none() {
        let detail = format!(
            "the layer `{}` already exists; use --append to add the points, --replace to replace those of the layer, or \
             --partition to replace those of a part of it",
            args.layer
        );
        return Err(Error::invalid(Parameter::LAYER, detail));
    }
    let space = args.coordinate_space(before.as_deref())?;
    let run = RunInputs::expand(&args.inputs)?;
    let partition = args.partition(&run)?;
    if let (Some(layer), Some(partition)) = (&before, &partition)
        && layer.snapshot().has_run(partition)
    {
        return args.keep_partition(layer, partition);
    }
    if let (Some(layer), Some(partition), false) = (&before, &partition, args.yes) {
        confirm_order(layer, partition)?;
    }
    let open = || OpenInputs::open(&run.files, &args.rows.columns(), &args.rows.read_options());
    let opened = progress::with_copy_progress(args.quiet, open)?;

    let stages = Progress::default();
    let into = Target { space, partition: partition.as_ref() };
    let import = || args.import(&store, before.as_deref(), into, (&opened, &run), &stages);
    let imported = run_cancellable(|| stages.stop(), import).map_err(|error| match error {
        Error::Cancelled => Error::input(&args.layer, "cancelled; the layer is unchanged"),
        other => other,
    })?;
    if !args.quiet {
        print_notes(&remarks(&imported.report, Parameter::flag));
        // The points are stored, even if the layer cannot be read now.
        let summary = args.summary(&store, &imported, start).unwrap_or_else(|error| {
            let points = summary::grouped(imported.points);
            format!("added {points} points to {}; the layer cannot be read: {error}", args.layer)
        });
        print_message(&summary);
        if let (true, Some(layer)) = (args.append, &before) {
            print_notes(&damage::note(layer).into_iter().collect::<Vec<_>>());
        }
    }
    Ok(())
}

/// Asks before an older run replaces a newer one of its partition. Without a terminal, it requires `--yes`.
fn confirm_order(layer: &StoredLayer, partition: &Partition) -> Result<()> {
    let (name, partition_name) = (layer.name(), partition.name());
    let found = layer.snapshot().partitions().into_iter().find(|found| found.name == partition_name);
    let Some((newer, run)) = found.and_then(|found| found.run).zip(partition.run()) else { return Ok(()) };
    if !is_older_run(run, &newer) {
        return Ok(());
    }
    let [newer, run] = [&newer, run].map(|run| run.split(':').next().unwrap_or_default());
    let reason = format!("the partition {partition_name} has the points of {newer}, which is newer than {run}");
    if !confirm::is_interactive() {
        let detail = format!("required to replace them: {reason}; nothing was imported");
        return Err(Error::invalid(confirm::YES, detail));
    }
    if confirm::is_confirmed(&format!("{name}: {reason}. Replace them?"))? {
        return Ok(());
    }
    Err(Error::input(name, "nothing was imported"))
}

/// What an import writes to.
#[derive(Clone, Copy)]
struct Target<'a> {
    space: CoordinateSpace,
    partition: Option<&'a Partition>,
}

impl Args {
    /// The partition of the import.
    fn partition(&self, run: &RunInputs) -> Result<Option<Partition>> {
        let Some(name) = &self.partition else { return Ok(None) };
        // The same files are another run if they are read in another way.
        let identity = run.identity(&format!("{:?}", self.rows))?;
        Partition::new(name, identity).map(Some)
    }

    /// Reports that a partition has the points of the same run. Only the description may change.
    fn keep_partition(&self, layer: &StoredLayer, partition: &Partition) -> Result<()> {
        if self.describes() {
            layer.set_description(self.description(layer.snapshot().description().clone()))?;
        }
        if !self.quiet {
            let (name, partition) = (layer.name(), partition.name());
            print_message(&format!(
                "{name}: the partition {partition} has the points of this run already; nothing changed"
            ));
        }
        Ok(())
    }

    /// The coordinate space of the points: that of an existing layer, unless `--crs` says otherwise.
    fn coordinate_space(&self, before: Option<&StoredLayer>) -> Result<CoordinateSpace> {
        let space = match (self.rows.coordinate_space(), before) {
            (CoordinateSpace::Globe, Some(layer)) => layer.coordinate_space(),
            (space, _) => space,
        };
        let has_table = self.inputs.iter().any(|input| Address::is_database_url(input));
        if space == CoordinateSpace::Plane && has_table {
            return Err(Error::invalid(
                Parameter::LAYER,
                "the points of a database are on the globe, the layer on a plane",
            ));
        }
        if let (true, Some(layer)) = (self.replace, before)
            && layer.coordinate_space() != space
        {
            let name = &self.layer;
            let detail = format!(
                "the layer `{name}` is on the globe and stays there when its points are replaced; remove it first with \
                 `kiln drop {name} --yes`"
            );
            return Err(Error::invalid(Parameter::CRS, detail));
        }
        Ok(space)
    }

    /// Imports the points into an existing or a new layer.
    fn import(
        &self,
        store: &Store,
        before: Option<&StoredLayer>,
        into: Target<'_>,
        (opened, run): (&OpenInputs, &RunInputs),
        stages: &Progress,
    ) -> Result<ImportReport> {
        let space = into.space;
        let Some(layer) = before else {
            let defaults = Description { weight: opened.weight.clone(), ..Description::default() };
            let description = self.description(defaults);
            let fill = |layer: &StoredLayer| {
                let imported = self.fill(layer, into, None, (opened, run), stages)?;
                self.require_points(&imported, space, opened).map(|()| imported)
            };
            return store.create_with(&self.layer, space, description, fill);
        };
        let description = self.describes().then(|| self.description(layer.snapshot().description().clone()));
        let imported = self.fill(layer, into, description.clone(), (opened, run), stages)?;
        if self.append && imported.report.read == 0 {
            // An empty input is not an error when appending, for example in a daily import.
            description.map_or(Ok(()), |description| layer.set_description(description))?;
        } else {
            self.require_points(&imported, space, opened)?;
        }
        Ok(imported)
    }

    fn fill(
        &self,
        layer: &StoredLayer,
        Target { space, partition }: Target<'_>,
        description: Option<Description>,
        (opened, run): (&OpenInputs, &RunInputs),
        stages: &Progress,
    ) -> Result<ImportReport> {
        let existing = if self.replace { ExistingPoints::Replace } else { ExistingPoints::Keep };
        let threads = self.threads.map_or_else(crate::available_threads, usize::from);
        let read = source::Progress::default();
        let query = self.rows.query()?.with_coordinate_space(space).with_progress(Some(&read));
        let prepare = || layer.prepare_import(&opened.inputs, &query, threads, stages);
        let prepared = progress::with_stage_progress(self.quiet, &read, stages, prepare)?;
        run.check_totals(prepared.report(), prepared.level())?;
        if !self.yes {
            let keep_s = description.as_ref().map_or(layer.snapshot().description().keep_s, |new| new.keep_s);
            let (prepared, is_keep_given) = (&prepared, self.keep.is_some());
            RetainedImport { layer, prepared, existing, keep_s, is_keep_given }.confirm()?;
        }
        let is_first = self.replace || layer.snapshot().points() == 0;
        let imported = match partition {
            Some(partition) => layer.commit_partition(prepared, partition.clone(), description)?.0,
            None => layer.commit_import(prepared, existing, description)?,
        };
        // The first points name the weights of a layer that has no name for them.
        let description = layer.snapshot().description().clone();
        if let Some(weight) = imported.report.weight.clone().filter(|_| is_first && description.weight.is_none()) {
            layer.set_description(Description { weight: Some(weight), ..description })?;
        }
        Ok(imported)
    }

    /// Checks that points were added.
    fn require_points(&self, imported: &ImportReport, space: CoordinateSpace, opened: &OpenInputs) -> Result<()> {
        /// The maximum number of files to list in an error; for more, the arguments are listed.
        const MAX_NAMES: usize = 4;
        if imported.points > 0 {
            return Ok(());
        }
        let names = if opened.names.len() <= MAX_NAMES { &opened.names } else { &self.inputs };
        imported.report.require_points(names)?;
        let detail = if imported.beyond_map > 0 {
            match space {
                CoordinateSpace::Globe => "all points are beyond 85.05° north or south, the limit of web maps",
                CoordinateSpace::Plane => {
                    "all points are outside the square of the layer, 429 km around its first points"
                }
            }
        } else {
            "no row passes the filters (--start, --end, --hours, --weekdays, --months, --category)"
        };
        Err(Error::input(names.join(", "), detail))
    }

    /// Whether any flag describes the layer.
    fn describes(&self) -> bool {
        self.title.is_some()
            || self.attribution.is_some()
            || self.keep.is_some()
            || self.rows.weight().is_some()
            || !self.style.is_empty()
    }

    /// Returns the description with the values of the flags, or else those of `defaults`.
    fn description(&self, mut defaults: Description) -> Description {
        defaults.style.extend(self.style.iter().cloned());
        // Appending points without weights does not change the name of existing weights.
        let has_weights = self.append && defaults.weight.is_some();
        let weight = self.rows.weight().filter(|name| !has_weights || *name != Columns::NO_COLUMN).map(str::to_owned);
        Description {
            title: self.title.clone().or(defaults.title),
            attribution: self.attribution.clone().or(defaults.attribution),
            weight: weight.or(defaults.weight),
            keep_s: self.keep.map(TimeSpan::as_secs).or(defaults.keep_s),
            ..defaults
        }
    }

    fn summary(&self, store: &Store, imported: &ImportReport, start: Instant) -> Result<String> {
        let layer = super::store::layer(store, &self.layer)?;
        let mut line = summary::imported(imported, &self.layer, &layer.snapshot(), start.elapsed());
        if self.keep.is_some() && layer.snapshot().summary().time_us.is_none() {
            line.push_str("; the points have no times, so that --keep has no effect");
        }
        Ok(line)
    }
}
