//! `kiln key`: makes the secrets of keys.

use std::io::Write;

use clap::{Args as ClapArgs, Subcommand};

use crate::config::{KeyConfig, check_layer_name};
use crate::error::{Error, Result};
use crate::http::Secret;
use crate::layer_name;

/// Make a key, by which a client may read layers
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    New(NewArgs),
}

/// Make a new key, and print its secret once, with the table for kiln.toml.
///
/// The secret is a random text, which the client sends. The table has its hash only: a lost secret cannot be found again,
/// only replaced by a new one.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln key new tenant-a
  kiln key new tenant-a --layer trips >> kiln.toml

The secret is printed to standard error, and the table to standard output.")]
struct NewArgs {
    /// Name of the key: letters A-Z, a-z, digits, _ or -
    name: String,
    /// Layer that the key may read; repeatable [default: all]
    #[arg(long = "layer", value_name = "NAME")]
    layers: Vec<String>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let Command::New(args) = &args.command;
    if !layer_name::is_valid(&args.name) {
        let message = "the name of a key has 1 to 64 letters A-Z, a-z, digits, _ or -";
        return Err(Error::config(args.name.as_str(), message));
    }
    for name in &args.layers {
        check_layer_name(name).map_err(|message| Error::config(name.as_str(), message))?;
    }
    if args.name == KeyConfig::ANONYMOUS {
        let message = "the key of requests without a key has no secret; write [keys.anonymous] without a hash";
        return Err(Error::config(KeyConfig::ANONYMOUS, message));
    }
    let secret = Secret::new()?;
    let names: Vec<String> = args.layers.iter().map(|layer| format!("\"{layer}\"")).collect();
    let layers = if names.is_empty() { String::new() } else { format!("layers = [{}]\n", names.join(", ")) };
    let table = format!("\n[keys.{}]\nhash = \"{}\"\n{layers}", args.name, secret.hash());
    let mut out = std::io::stdout().lock();
    out.write_all(table.as_bytes()).and_then(|()| out.flush()).map_err(|error| Error::io("-", "write", error))?;
    super::print_message(&format!("The secret, which is not printed again: {}", secret.reveal()));
    Ok(())
}
