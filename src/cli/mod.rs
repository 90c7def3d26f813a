//! The command line: one file per subcommand.
//!
//! Exit codes: 0 success, 1 failure, 2 invalid usage, 130 Ctrl-C, 143 SIGTERM. `kiln serve` returns 0 after both signals.

mod animate;
mod batch;
mod bins;
mod clean;
mod command_line;
mod compact;
mod completions;
mod config;
mod confirm;
mod console;
mod damage;
mod doctor;
mod drop;
mod expire;
mod export;
pub(crate) mod flags;
mod grid;
mod health;
mod import;
mod inputs;
mod job_layers;
mod key;
mod layer;
mod layers;
mod location;
mod mask;
mod mask_inputs;
mod matrix;
mod matrix_input;
mod mcp;
mod open_files;
mod output;
mod postgis;
mod progress;
mod publish;
mod render;
mod resolved_layer;
mod retention;
mod rows;
mod run_folder;
mod schemes;
mod serve;
mod sheet;
mod sign;
mod signals;
mod store;
mod style;
mod summary;
#[cfg(feature = "otel")]
mod telemetry;
mod terminal;
mod version;
mod visible;

pub use command_line::{run, run_with};
use console::{describe_with, print_json, print_message, print_notes, print_text};
