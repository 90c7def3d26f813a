//! The inputs of `kiln mask`: an array, or annotations in one or more files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

use super::flags::Flags;
use super::summary::{grouped, plural};
use crate::error::{Error, Result};
use crate::mask::annotations::{AnnotationFile, AnnotationLimits, AnnotationReport, class_names};
use crate::mask::{Mask, MaskStyle, ReadError};
use crate::masks::{ReadMaskContext, ReadMaskOptions};
use crate::parameter::Parameter;

/// The maximum size of a file of class names in bytes.
const MAX_NAMES: u64 = 1 << 24;

/// Options for reading the inputs.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Input")]
pub(super) struct ReadArgs {
    #[command(flatten)]
    options: Flags<ReadMaskOptions>,
    // Taken from the set, `--channels-first INPUT` would read the input as its value.
    /// Three-dimensional arrays are channels × rows × columns, as in PyTorch [default: rows × columns × channels]
    #[arg(long)]
    channels_first: bool,
    /// Class names of YOLO labels: a data.yaml, or one name per line [default: the class numbers]
    #[arg(long, value_name = "FILE")]
    class_names: Option<PathBuf>,
    /// Skip COCO annotations of groups (iscrowd)
    #[arg(long)]
    skip_crowds: bool,
}

/// A mask, and the report of its annotations.
pub(super) struct MaskInput {
    pub(super) mask: Mask,
    report: Option<AnnotationReport>,
}

impl MaskInput {
    /// Remarks of the reader, and on clipped and rejected labels, one sentence each.
    pub(super) fn remarks(&self) -> Vec<String> {
        let read = self.mask.remarks().iter().map(|remark| remark.spelled(Parameter::flag));
        read.chain(self.report.iter().flat_map(AnnotationReport::remarks)).collect()
    }

    /// The first part of the summary: the numbers of labels and cells.
    pub(super) fn summary(&self) -> String {
        let (columns, rows, missing) = (self.mask.columns(), self.mask.rows(), self.mask.missing());
        let missing = if missing > 0 { format!(", {} without data", grouped(missing as u64)) } else { String::new() };
        let labels = self.report.as_ref().map(|report| {
            format!("{} of {}, ", plural(report.labels as u64, "label"), plural(report.images as u64, "image"))
        });
        format!("read {}{columns}x{rows} cells{missing}", labels.unwrap_or_default())
    }
}

impl ReadArgs {
    /// Reads the inputs as a mask; annotations are drawn in the size of the style.
    pub(super) fn read(&self, inputs: &[String], style: &MaskStyle) -> Result<MaskInput> {
        let limit = AnnotationLimits::default().max_bytes;
        let mut left = limit as u64 + 1;
        let mut files = Vec::with_capacity(inputs.len());
        for input in inputs {
            let bytes = read_bytes(input, left)?;
            left -= bytes.len() as u64;
            files.push((input.as_str(), bytes));
        }
        let files: Vec<_> = files.iter().map(|(name, bytes)| AnnotationFile { name, bytes }).collect();
        let options = ReadMaskOptions {
            channels_first: Some(self.channels_first),
            skip_crowds: Some(self.skip_crowds),
            ..self.options.0.clone()
        };
        let context = ReadMaskContext {
            class_names: self.class_names.as_deref().map(read_names).transpose()?.unwrap_or_default(),
            width: style.width,
            height: style.height,
            ..ReadMaskContext::default()
        };
        let (mask, report) = options.read(&files, &context).map_err(ReadError::into_error)?;
        Ok(MaskInput { mask, report })
    }
}

/// The bytes of a file or of standard input, up to a limit.
fn read_bytes(input: &str, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if input == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(input).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    read.map_err(|error| Error::io(input, "read", error))?;
    Ok(bytes)
}

fn read_names(path: &Path) -> Result<Vec<String>> {
    let name = path.display().to_string();
    let bytes = read_bytes(&name, MAX_NAMES + 1)?;
    if bytes.len() as u64 > MAX_NAMES {
        return Err(Error::input(&name, format!("the names exceed the limit of {MAX_NAMES} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| Error::input(&name, "the names are not UTF-8 text"))?;
    class_names(&text, &name)
}
