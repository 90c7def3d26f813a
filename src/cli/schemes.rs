//! `kiln schemes`: lists the color schemes.

use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args as ClapArgs;

use super::output::Target;
use crate::color::Scheme;
use crate::encode::{swatches, write_picture};
use crate::error::{Error, Result};
use crate::layer::SchemeFolders;

/// List the color schemes, or draw a preview of them.
///
/// A name followed by `_r` is the reversed scheme. A file NAME.txt in ./schemes, in a folder given by --schemes or in
/// one listed in `KILN_SCHEMES` is the scheme NAME; schemes/README.md describes the format.
#[derive(Debug, ClapArgs)]
pub(super) struct Args {
    /// Draw all schemes as a PNG; `-` writes to standard output
    #[arg(long, value_name = "FILE")]
    preview: Option<String>,
    /// Pixel ratio of the preview: 2 for high-density screens and print
    #[arg(long, value_name = "RATIO", default_value_t = 1.0, requires = "preview")]
    pixel_ratio: f32,
    /// Folder of scheme files, in addition to ./schemes; repeatable
    #[arg(long, value_name = "DIR")]
    schemes: Vec<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    // An invalid file does not stop the list; the first error is returned.
    let (mut schemes, mut errors) = (Vec::new(), Vec::new());
    for scheme in SchemeFolders::open(&args.schemes)?.all() {
        match scheme {
            Ok(scheme) => schemes.push(scheme),
            Err(error) => errors.push(error),
        }
    }
    match &args.preview {
        Some(path) => draw(&schemes, args.pixel_ratio, path)?,
        None => list(&schemes).map_err(|error| Error::io("-", "write", error))?,
    }
    errors.into_iter().next().map_or(Ok(()), Err)
}

fn draw(schemes: &[Scheme], pixel_ratio: f32, path: &str) -> Result<()> {
    let mut output = Target::new(path, &[])?.create()?;
    let picture = swatches(schemes, pixel_ratio)?;
    write_picture(&picture, BufWriter::new(output.file())).map_err(|error| Error::io(path, "write", error))?;
    output.commit()
}

fn list(schemes: &[Scheme]) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let mut family = None;
    for scheme in schemes {
        if family != Some(scheme.family()) {
            family = Some(scheme.family());
            writeln!(out, "{}", scheme.family().title())?;
        }
        let default = if scheme.name() == Scheme::DEFAULT { " (default)" } else { "" };
        writeln!(out, "  {}{default}", scheme.name())?;
    }
    out.flush()
}
