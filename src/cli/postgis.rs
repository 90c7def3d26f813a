//! `kiln postgis`: what a database needs to know of Kiln.

use std::io::Write;

use clap::{Args as ClapArgs, Subcommand};

use crate::error::{Error, Result};
use crate::postgis::trigger;

/// What a PostGIS database can do for Kiln.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Trigger(TriggerArgs),
}

/// Print the SQL of a trigger that tells Kiln when a table changes.
///
/// The table's owner runs it once. A server that serves the table then shows what was changed within moments; others notice
/// nothing.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln postgis trigger stops | psql maps
  kiln postgis trigger 'city.\"Bus Stops\"' | psql maps")]
struct TriggerArgs {
    /// The table, as `table` or `schema.table`, with quotes around what is not in lower case
    #[arg(value_name = "TABLE")]
    table: String,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let Command::Trigger(TriggerArgs { table }) = &args.command;
    let sql = trigger(table)?;
    let mut out = std::io::stdout().lock();
    out.write_all(sql.as_bytes()).and_then(|()| out.flush()).map_err(|error| Error::io("-", "write", error))
}
