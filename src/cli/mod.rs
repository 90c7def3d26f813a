//! The command line: one file per subcommand.
//!
//! Exit codes: 0 success, 1 failure, 2 invalid usage.

mod animate;
mod batch;
mod clean;
mod command_line;
mod compact;
mod config;
mod console;
mod drop;
mod expire;
mod export;
pub(crate) mod flags;
mod import;
mod inputs;
mod job_layers;
mod layer;
mod layers;
mod mask;
mod output;
mod postgis;
mod progress;
mod render;
mod rows;
mod schemes;
mod serve;
mod sheet;
mod signals;
mod store;
mod style;
mod subject;
mod summary;

pub use command_line::run;
use console::{note, print_json, say, spelled};
