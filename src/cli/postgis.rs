//! `kiln postgis`: SQL for PostGIS databases.

use std::io::Write;

use clap::{Args as ClapArgs, Subcommand};

use crate::error::{Error, Result};
use crate::postgis::trigger;

/// Print SQL for a PostGIS database.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Trigger(TriggerArgs),
}

/// Print the SQL of a trigger that notifies Kiln of changes to a table.
///
/// The owner of the table runs it once. Servers of the table then show changes within moments; other database clients
/// are not affected.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln postgis trigger stops | psql maps
  kiln postgis trigger 'city.\"Bus Stops\"' | psql maps")]
struct TriggerArgs {
    /// Name of the table, `table` or `schema.table`, with quotes around names that are not in lower case
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
