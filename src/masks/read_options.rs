//! Options for reading a mask, from an array or from annotations.

use crate::mask::annotations::{
    self, AnnotationFile, AnnotationFormat, AnnotationLimits, AnnotationOptions, AnnotationReport,
};
use crate::mask::array::{self, Limits, ReadArrayOptions};
use crate::mask::{Mask, ReadError};
use crate::parameter::{Message, Parameter};
use crate::parameters::{Declaration, Kind, Value, parameter_set};

const FORMAT: Kind = Kind::Choice(&["supervisely", "coco", "yolo"]);

parameter_set! {
    /// Options for reading the files of a mask.
    #[derive(Clone, Debug, Default)]
    pub struct ReadMaskOptions {
        /// Name of the array in an `.npz` archive.
        pub member: String = Declaration::new(Parameter::MEMBER, Kind::Label).default("the only one"),
        /// Whether three-dimensional arrays are channels × rows × columns, as in PyTorch, instead of rows × columns × channels.
        pub channels_first: bool = Declaration::new(Parameter::CHANNELS_FIRST, Kind::Boolean).default("false").without_flag(),
        /// Class of the annotations to count, or several classes.
        pub classes: Vec<String> = Declaration::new(Parameter::CLASS, Kind::Texts).default("all classes").example("car"),
        /// Format of the annotations. YOLO text is detected only with several files, or with another parameter of annotations.
        pub annotations: AnnotationFormat = Declaration::new(Parameter::ANNOTATIONS, FORMAT).default("detected"),
        /// Whether COCO annotations of groups (`iscrowd`) are skipped.
        pub skip_crowds: bool = Declaration::new(Parameter::SKIP_CROWDS, Kind::Boolean).default("false").without_flag(),
    }
}

impl Value for AnnotationFormat {
    fn read(text: &str, kind: Kind) -> Result<Self, Message> {
        let found = Self::ALL.iter().find(|(name, _)| *name == text.trim());
        found.map(|(_, format)| *format).ok_or_else(|| format!("`{text}` is not {}", kind.accepts()).into())
    }

    fn write(&self) -> Option<String> {
        Self::ALL.iter().find(|(_, format)| format == self).map(|(name, _)| (*name).to_owned())
    }
}

/// The size and the class names of annotations, and the limits of reading.
#[derive(Clone, Debug, Default)]
pub struct ReadMaskContext {
    /// The names of the classes of YOLO labels by number; if empty, the numbers are the names.
    pub class_names: Vec<String>,
    /// The width of a mask of annotations in pixels; see [`AnnotationOptions::width`].
    pub width: Option<usize>,
    /// The height of a mask of annotations in pixels, likewise.
    pub height: Option<usize>,
    /// The limits of an array.
    pub array_limits: Limits,
    /// The limits of annotations.
    pub annotation_limits: AnnotationLimits,
}

impl ReadMaskOptions {
    /// Reads one array, or annotations of one or more files. The report is `None` for an array.
    ///
    /// Several files are annotations, and so is one if its content is that of Supervisely or COCO JSON, or if an option of
    /// annotations is set.
    ///
    /// # Errors
    /// Those of [`array::read`] and [`annotations::read`]; also if a member of annotations is requested.
    pub fn read(
        &self,
        files: &[AnnotationFile<'_>],
        context: &ReadMaskContext,
    ) -> Result<(Mask, Option<AnnotationReport>), ReadError> {
        match files {
            [file] if !self.are_annotations(file, context) => {
                let options = ReadArrayOptions {
                    format: None,
                    member: self.member.clone(),
                    channels_first: self.channels_first.unwrap_or(false),
                    limits: context.array_limits,
                };
                Ok((array::read(file.bytes, file.name, &options)?, None))
            }
            [file, ..] if self.member.is_some() => {
                Err(ReadError::new(file.name, "not an .npz archive; only archives have members"))
            }
            files => {
                let options = AnnotationOptions {
                    format: self.annotations,
                    classes: self.classes.clone().unwrap_or_default(),
                    names: context.class_names.clone(),
                    skip_crowds: self.skip_crowds.unwrap_or(false),
                    width: context.width,
                    height: context.height,
                    limits: context.annotation_limits,
                };
                let (mask, report) = annotations::read(files, &options)?;
                Ok((mask, Some(report)))
            }
        }
    }

    fn are_annotations(&self, file: &AnnotationFile<'_>, context: &ReadMaskContext) -> bool {
        let is_named = !context.class_names.is_empty() || self.classes.as_ref().is_some_and(|names| !names.is_empty());
        let is_expected = is_named || self.annotations.is_some() || self.skip_crowds == Some(true);
        let is_json = || {
            let format = AnnotationFormat::detect(file.bytes);
            matches!(format, Some(AnnotationFormat::Supervisely | AnnotationFormat::Coco))
        };
        is_expected || is_json()
    }
}
