//! What `kiln mask` reads: an array, or annotations of one or more files.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;

use super::summary::{grouped, plural};
use crate::error::{Error, Result};
use crate::mask::annotations::{
    self, AnnotationFile, AnnotationFormat, AnnotationLimits, AnnotationOptions, AnnotationReport, class_names,
};
use crate::mask::array::{self, ReadArrayOptions};
use crate::mask::{Mask, MaskStyle};
use crate::parameter::Parameter;

/// The most bytes of a file with the names of classes.
const MAX_NAMES: u64 = 1 << 24;

/// How the inputs are read.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Input")]
pub(super) struct ReadArgs {
    /// Which array of an .npz archive [default: the only one]
    #[arg(long, value_name = "NAME")]
    member: Option<String>,
    /// Arrays of three dimensions are channels × rows × columns, as in PyTorch [default: rows × columns × channels]
    #[arg(long)]
    channels_first: bool,
    /// Count only the annotations of this class; may be repeated [default: those of every class]
    #[arg(long = "class", value_name = "NAME")]
    classes: Vec<String>,
    /// The names of the classes of YOLO labels: a data.yaml, or a name per line [default: the numbers of the classes]
    #[arg(long, value_name = "FILE")]
    class_names: Option<PathBuf>,
    /// Read annotations: supervisely, coco or yolo [default: JSON by its content; YOLO labels only with a flag of annotations]
    #[arg(long, value_name = "FORMAT", value_parser = annotation_format)]
    annotations: Option<AnnotationFormat>,
    /// Skip COCO annotations of groups (iscrowd)
    #[arg(long)]
    skip_crowds: bool,
}

/// A mask, and what there is to report of its annotations.
pub(super) struct MaskInput {
    pub(super) mask: Mask,
    report: Option<AnnotationReport>,
}

impl MaskInput {
    /// Remarks on what was left out, one sentence each.
    pub(super) fn remarks(&self) -> Vec<String> {
        let read = self.mask.remarks().iter().map(|remark| remark.spelled(Parameter::flag));
        read.chain(self.report.iter().flat_map(AnnotationReport::remarks)).collect()
    }

    /// What was read, for the summary.
    pub(super) fn summary(&self) -> String {
        let (columns, rows, missing) = (self.mask.columns(), self.mask.rows(), self.mask.missing());
        let missing = if missing > 0 { format!(", {} without data", grouped(missing as u64)) } else { String::new() };
        let labels = self.report.as_ref().map(|report| {
            format!("{} of {}, ", plural(report.labels as u64, "label"), plural(report.images as u64, "image"))
        });
        format!("read {}{columns}x{rows} cells{missing}", labels.unwrap_or_default())
    }
}

fn annotation_format(text: &str) -> Result<AnnotationFormat, String> {
    let found = AnnotationFormat::ALL.iter().find(|(name, _)| *name == text);
    found.map(|(_, format)| *format).ok_or_else(|| "expected supervisely, coco or yolo".to_owned())
}

impl ReadArgs {
    /// Reads the mask of the inputs; annotations are drawn in the size of the style.
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
        let is_named = self.class_names.is_some() || !self.classes.is_empty();
        let are_expected = is_named || self.annotations.is_some() || self.skip_crowds;
        let is_annotated = |file: &AnnotationFile<'_>| {
            let format = AnnotationFormat::detect(file.bytes);
            matches!(format, Some(AnnotationFormat::Supervisely | AnnotationFormat::Coco))
        };
        match &files[..] {
            [file] if !are_expected && !is_annotated(file) => {
                let options = ReadArrayOptions {
                    member: self.member.clone(),
                    channels_first: self.channels_first,
                    ..ReadArrayOptions::default()
                };
                Ok(MaskInput { mask: array::read(file.bytes, file.name, &options)?, report: None })
            }
            files => {
                if self.member.is_some() {
                    let name = files.first().map_or("-", |file| file.name);
                    return Err(Error::input(name, "only an .npz archive has members to choose from"));
                }
                let (mask, report) = annotations::read(files, &self.annotation_options(style)?)?;
                Ok(MaskInput { mask, report: Some(report) })
            }
        }
    }

    fn annotation_options(&self, style: &MaskStyle) -> Result<AnnotationOptions> {
        Ok(AnnotationOptions {
            format: self.annotations,
            classes: self.classes.clone(),
            names: self.class_names.as_deref().map(read_names).transpose()?.unwrap_or_default(),
            skip_crowds: self.skip_crowds,
            width: style.width,
            height: style.height,
            ..AnnotationOptions::default()
        })
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
