//! The `kiln` binary: see [`kiln::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    kiln::cli::run()
}
