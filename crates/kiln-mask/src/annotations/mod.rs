//! Density masks of annotations: each label of each image adds 1 to the pixels that its shape covers.
//!
//! ```text
//! files ── format ──> image sizes ── size ──> Density ── shapes of each label ──> spans ──> counts ──> Mask
//! ```
//!
//! Labels are read one at a time, and a shape becomes spans of pixels, of which only both ends are noted. The memory is that of
//! the mask and of the largest label, the time follows the rows and the edges of shapes, not their pixels.
//!
//! Which pixels a shape covers:
//!
//! | shape | pixels |
//! |---|---|
//! | Supervisely rectangle | from corner to corner, both included |
//! | Supervisely polygon | even-odd interior and the line of the outline; holes are cut out with the line of their outline |
//! | Supervisely polyline | the line of each segment, one pixel wide |
//! | Supervisely point | one pixel |
//! | Supervisely bitmap, COCO RLE | those that are set |
//! | COCO and YOLO polygons and boxes | those whose center, half a pixel from its corner, is within, by the even-odd rule |
//!
//! Coordinates of Supervisely are indices of pixels and are rounded, half to even. A label covers a pixel once, however often
//! its shapes overlap themselves.

mod base64;
mod bitmap;
mod coco;
mod density;
mod format;
mod json;
mod lines;
mod names;
mod report;
mod rle;
mod scan;
mod size;
mod spans;
mod supervisely;
mod yolo;

use crate::Mask;
use crate::limit::{Limit, ReadError, Reason};
use density::Density;
use report::Reduction;
use size::ImageSizes;

pub use format::AnnotationFormat;
pub use names::class_names;
pub use report::AnnotationReport;
pub(crate) use yolo::resembles_labels;

/// A file of annotations in memory.
#[derive(Clone, Copy, Debug)]
pub struct AnnotationFile<'b> {
    /// Its name, for messages.
    pub name: &'b str,
    /// Its content.
    pub bytes: &'b [u8],
}

/// Options for reading annotations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnotationOptions {
    /// The format of all files; detected from the content of each if `None`.
    pub format: Option<AnnotationFormat>,
    /// The names of the classes whose labels count; every class if empty.
    pub classes: Vec<String>,
    /// The names of the classes of YOLO labels by number, as [`class_names`] reads them; if empty, the numbers are the names.
    pub names: Vec<String>,
    /// Skips COCO annotations with `iscrowd`, which outline groups of objects. Default: they count as one label each.
    pub skip_crowds: bool,
    /// The width of the mask in pixels; if `None`, that of the images, or in proportion to the height.
    pub width: Option<usize>,
    /// The height of the mask in pixels; if `None`, that of the images, or in proportion to the width.
    pub height: Option<usize>,
    /// The limits of the annotations.
    pub limits: AnnotationLimits,
}

/// Limits of annotations. Files that exceed a limit are an error.
///
/// A label may have 1,048,576 (2²⁰) vertices in 65,536 rings, 16,777,216 (2²⁴) runs, or a bitmap of as many pixels as its image;
/// one beyond is rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnnotationLimits {
    /// The most bytes of all files.
    pub max_bytes: usize,
    /// The most pixels of the mask and of an image.
    pub max_cells: usize,
    /// The most labels, and the most images. No more than 16,777,216 (2²⁴) count, up to where `f32` has every integer.
    pub max_labels: usize,
    /// The most vertices of all labels that are drawn.
    pub max_vertices: u64,
    /// The most steps of drawing: an edge of a polygon in a row, a run of an RLE, and 16 bytes of an unpacked bitmap are one
    /// each.
    pub max_steps: u64,
}

impl Default for AnnotationLimits {
    /// 1 GiB, 134,217,728 (2²⁷) pixels, 16,777,216 (2²⁴) labels, 134,217,728 (2²⁷) vertices and 536,870,912 (2²⁹) steps.
    fn default() -> Self {
        Self { max_bytes: 1 << 30, max_cells: 1 << 27, max_labels: 1 << 24, max_vertices: 1 << 27, max_steps: 1 << 29 }
    }
}

/// The most vertices of a label.
const MAX_VERTICES: usize = 1 << 20;
/// The most rings of a label.
const MAX_RINGS: usize = 1 << 16;
/// The most labels that a sum in `f32` counts exactly.
const MAX_EXACT: usize = 1 << 24;

/// Reads annotations and draws their labels into a mask that counts the labels over each pixel.
///
/// The size is `width` and `height` where both are given, and each image is stretched over it. Where one is given, the other
/// follows in proportion to the images; where none is, the size is that of the images. In both cases all of them must be of one
/// size. YOLO labels have no image size: they need both, or another file with a size.
///
/// Invalid labels are rejected, and reported with the reason; the others are drawn.
///
/// # Errors
/// [`ReadError`] with the name of the file if its format is unknown or it is invalid, if images differ in size, if a selected
/// class does not occur, if no label is drawn, or if a limit is exceeded.
pub fn read(files: &[AnnotationFile<'_>], options: &AnnotationOptions) -> Result<(Mask, AnnotationReport), ReadError> {
    let first = files.first().ok_or_else(|| ReadError::new("annotations", "no file; at least one is needed"))?;
    let bytes = files.iter().try_fold(0_usize, |sum, file| sum.checked_add(file.bytes.len()));
    if bytes.is_none_or(|bytes| bytes > options.limits.max_bytes) {
        let why = format!("the annotations exceed the limit of {} bytes", options.limits.max_bytes);
        return Err(ReadError::with_reason(first.name, Reason::limit(Limit::Bytes, why)));
    }
    let mut sizes = ImageSizes::new(options.limits);
    let mut formats = Vec::with_capacity(files.len());
    for file in files {
        let format = format::of(file.bytes, options).map_err(|message| ReadError::new(file.name, message))?;
        let read = match format {
            AnnotationFormat::Supervisely => supervisely::sizes(file, &mut sizes),
            AnnotationFormat::Coco => coco::sizes(file.bytes, &mut sizes),
            AnnotationFormat::Yolo => sizes.count_unsized(),
        };
        read.map_err(|reason| read_error(file, reason))?;
        formats.push(format);
    }
    let (width, height) = sizes.target(options).map_err(|reason| ReadError::with_reason(first.name, reason))?;
    let mut density = Density::new(width, height, options.limits);
    let mut reduction = Reduction::new(options, sizes.count());
    for (file, format) in files.iter().zip(formats) {
        let drawn = match format {
            AnnotationFormat::Supervisely => supervisely::draw(file, &mut density, &mut reduction),
            AnnotationFormat::Coco => coco::draw(file, options, &mut density, &mut reduction),
            AnnotationFormat::Yolo => yolo::draw(file, options, &mut density, &mut reduction),
        };
        drawn.map_err(|reason| read_error(file, reason))?;
    }
    let report = reduction.finish().map_err(|message| ReadError::new(first.name, message))?;
    let mask = density.into_mask();
    let mask = mask.map_err(|error| ReadError::new(first.name, error.into_message().to_string()))?;
    Ok((mask, report))
}

/// An error of a file, whose name comes once.
fn read_error(file: &AnnotationFile<'_>, reason: Reason) -> ReadError {
    let place = format!("{}: ", file.name);
    let without_place = |message: String| message.strip_prefix(&place).map(str::to_owned).unwrap_or(message);
    ReadError::with_reason(file.name, reason.map(without_place))
}

/// Rejects a label of too many rings or vertices.
fn check_limits(rings: usize, vertices: usize) -> Result<(), String> {
    if rings > MAX_RINGS || vertices > MAX_VERTICES {
        return Err(format!("the label exceeds the limit of {MAX_VERTICES} vertices in {MAX_RINGS} rings"));
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
