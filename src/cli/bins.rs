//! `kiln bins`: bins that another engine sums.

use std::io::Write;

use clap::{Args as ClapArgs, Subcommand, ValueEnum};
use kiln_sql::{BinsQuery, Bucket, Engine};

use super::flags::whole_number;
use super::print_message;
use crate::error::{Error, Result};
use crate::parameter::Parameter;

/// Print the SQL by which Spark, DuckDB, ClickHouse or a warehouse sums points per cell, for `kiln import`
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Sql(Box<SqlArgs>),
}

/// Print the SQL that sums the points of a table per cell, in the dialect of an engine.
///
/// The bins have one row per cell with points: level, `cell_x`, `cell_y` and n, the number of points; with --weight also
/// weight, their sum, and `max_weight`, with --time the start of the bucket in UTC, and with --category the category. Their
/// tiles equal those of the points up to the zoom. Points that `kiln import` would reject are left out: positions and
/// weights that are NULL, not finite or out of range.
///
/// Without --to it is a SELECT; with --to, the statement by which the engine writes Parquet there. With --format pyspark it
/// is a program for spark-submit and Spark Connect, which writes a new folder each time it runs.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln bins sql --engine duckdb --table 'trips/*.parquet' --to bins.parquet | duckdb
  kiln bins sql --engine spark --table lake.trips --weight fare --time pickup_at --every 1d --zoom 10
  kiln bins sql --format pyspark --table lake.trips --where \"day = '{partition}'\" --to s3a://lake/bins > bins.py
  kiln bins sql --engine bigquery --table project.lake.trips --at-least 5 --to gs://lake/bins/run=1

`kiln bins sql` connects to nothing. The SQL for trino, bigquery and snowflake follows their documentation, but no test of
Kiln runs it there.")]
struct SqlArgs {
    /// Engine: spark, duckdb, clickhouse, trino, bigquery or snowflake
    #[arg(long, value_name = "ENGINE")]
    engine: Option<Engine>,
    /// Name of the table, with double quotes around a part that has a dot; or for spark, duckdb and clickhouse the path or
    /// URL of files
    #[arg(long, value_name = "TABLE")]
    table: String,
    /// Deepest zoom whose tiles equal those of the points, 0 to 24
    #[arg(short, long, value_name = "ZOOM", default_value_t = 14)]
    zoom: u8,
    /// Bins for tiles at @2x at the deepest zoom: one level deeper
    #[arg(long)]
    dense: bool,
    /// Column of the longitude in degrees
    #[arg(long, value_name = "COLUMN", default_value = "lon")]
    lon: String,
    /// Column of the latitude in degrees
    #[arg(long, value_name = "COLUMN", default_value = "lat")]
    lat: String,
    /// Column of the weight [default: every point weighs 1]
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
    /// Column of the time, a timestamp or a date
    #[arg(long, value_name = "COLUMN", requires = "every")]
    time: Option<String>,
    /// Length of a time bucket: one that divides a day, such as 15m, 1h or 1d, or 1w, 1mo or 1y
    #[arg(long, value_name = "TIME", requires = "time")]
    every: Option<Bucket>,
    /// Column of the category
    #[arg(long, value_name = "COLUMN")]
    category: Option<String>,
    /// Condition in the engine's SQL, which is used as it is, in parentheses
    #[arg(long = "where", value_name = "SQL", allow_hyphen_values = true)]
    condition: Option<String>,
    /// Leave out rows of fewer points than this
    #[arg(long, value_name = "K", value_parser = whole_number::<u64>(1..=1_000_000_000))]
    at_least: Option<u64>,
    /// Output of the engine: a path, the URL of a folder in a bucket, for trino a new table, for snowflake a @stage
    #[arg(long, value_name = "URL")]
    to: Option<String>,
    /// Format: sql, or pyspark, a program for spark-submit and Spark Connect
    #[arg(long, value_name = "FORMAT", default_value = "sql")]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Sql,
    #[value(name = "pyspark")]
    PySpark,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let Command::Sql(args) = &args.command;
    let query = args.query();
    let text = match (args.format, args.engine) {
        (Format::PySpark, None | Some(Engine::Spark)) => query.pyspark(args.to.as_deref())?,
        (Format::PySpark, Some(engine)) => {
            return Err(Error::invalid(Parameter::FORMAT, format!("pyspark is for spark, not {engine}")));
        }
        (Format::Sql, None) => {
            let names = Engine::ALL.map(Engine::name).join(", ");
            return Err(Error::invalid(Parameter::new("engine"), format!("it is missing; expected one of {names}")));
        }
        (Format::Sql, Some(engine)) => match &args.to {
            Some(to) => query.export(engine, to)? + "\n",
            None => query.select(engine)? + "\n",
        },
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| Error::io("-", "write", error))?;
    if let Some(engine) = args.engine.filter(|engine| !engine.is_tested()) {
        let note = "compare some cells with `kiln import` of the points before you rely on it";
        print_message(&format!("note: no test of Kiln runs SQL in {engine}; {note}"));
    }
    Ok(())
}

impl SqlArgs {
    fn query(&self) -> BinsQuery {
        BinsQuery {
            table: self.table.clone(),
            zoom: self.zoom,
            is_dense: self.dense,
            lon: self.lon.clone(),
            lat: self.lat.clone(),
            weight: self.weight.clone(),
            time: self.time.clone().zip(self.every),
            category: self.category.clone(),
            condition: self.condition.clone(),
            at_least: self.at_least,
        }
    }
}
