//! The formats of annotations and their detection.

use super::{AnnotationOptions, json, yolo};
use crate::array::ArrayFormat;

/// A format of annotations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AnnotationFormat {
    /// Supervisely JSON: one image with `size` and `objects`, or a list of such.
    Supervisely,
    /// A COCO JSON dataset: `images`, `categories` and `annotations`.
    Coco,
    /// YOLO text: a class and a box or a polygon per line, in fractions of the width and the height.
    Yolo,
}

impl AnnotationFormat {
    /// Every format, by name.
    pub const ALL: [(&'static str, Self); 3] =
        [("supervisely", Self::Supervisely), ("coco", Self::Coco), ("yolo", Self::Yolo)];

    /// The supported formats, as the end of a message.
    pub const ACCEPTED: &'static str = "expected Supervisely JSON, COCO JSON or YOLO text";

    /// Detects the format from the content of a file; `None` if it is unknown.
    ///
    /// JSON is recognized by the first key that only one of the formats has. Text is YOLO if the first lines are labels: a whole
    /// number and at least four numbers from -1 to 2. An array of numbers as CSV can look the same, so that a caller that reads
    /// both accepts text as YOLO only where annotations are expected.
    pub fn detect(bytes: &[u8]) -> Option<Self> {
        let bytes = json::without_mark(bytes);
        match bytes.iter().find(|byte| !byte.is_ascii_whitespace())? {
            b'{' => by_keys(bytes),
            b'[' => {
                let list = bytes.trim_ascii_start();
                let first = list[1..].trim_ascii_start();
                if first.starts_with(b"{") { by_keys(first) } else { None }
            }
            _ => yolo::is_likely(bytes).then_some(Self::Yolo),
        }
    }
}

/// The format of the object that starts `bytes`, by the first key that shows it.
fn by_keys(bytes: &[u8]) -> Option<AnnotationFormat> {
    json::first_key(bytes, |key| match key {
        "objects" | "size" | "annotation" => Some(AnnotationFormat::Supervisely),
        "images" | "annotations" | "categories" => Some(AnnotationFormat::Coco),
        _ => None,
    })
}

/// The format of a file: the one that the options name, or the one that its content shows.
pub(super) fn of(bytes: &[u8], options: &AnnotationOptions) -> Result<AnnotationFormat, String> {
    if let Some(format) = options.format {
        return Ok(format);
    }
    // An image without objects has an empty file of labels.
    let is_blank = json::without_mark(bytes).iter().all(u8::is_ascii_whitespace);
    if is_blank {
        return Ok(AnnotationFormat::Yolo);
    }
    // Annotations are expected here, so a few broken lines do not make labels another format.
    let format =
        AnnotationFormat::detect(bytes).or_else(|| yolo::is_plausible(bytes).then_some(AnnotationFormat::Yolo));
    format.ok_or_else(|| unknown_format(bytes))
}

/// The reason that a file is not annotations.
fn unknown_format(bytes: &[u8]) -> String {
    let accepted = AnnotationFormat::ACCEPTED;
    match ArrayFormat::detect(bytes) {
        Some(ArrayFormat::Csv) if !yolo::has_only_numbers(bytes) => {
            let misfit = yolo::first_misfit(bytes);
            let place = misfit.map(|(line, text)| format!("line {line}, `{text}`, is not a YOLO label; "));
            let place = place.unwrap_or_default();
            format!("unknown annotation format; {place}set annotations to yolo to reject such lines; {accepted}")
        }
        Some(ArrayFormat::Csv) => format!("{IS_ARRAY}; if its lines are YOLO labels, set annotations to yolo"),
        Some(_) => format!("{IS_ARRAY}; {accepted}"),
        None => format!("unknown annotation format; {accepted}"),
    }
}

/// The start of the error for an array among annotations.
const IS_ARRAY: &str = "the file is an array; an array is drawn alone and without options of annotations";
