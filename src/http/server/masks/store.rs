//! Reading and changing stored masks for requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Bytes;

use super::Masks;
use crate::config::LimitsConfig;
use crate::error::{Error, Result};
use crate::http::parameters::mask_upload::{MaskFile, MaskReading};
use crate::http::server::clock::now_s;
use crate::http::server::problem::{HttpResult, Problem};
use crate::images::RetentionLimits;
use crate::mask::annotations::{AnnotationFile, AnnotationReport};
use crate::mask::{Background, ImageLimits, Levels, Limit, Mask, MaskStyle, Picture, ReadError, render_levels};
use crate::masks::{MaskFolder, MaskId, MaskOptions, MaskRecord, MaskSweepReport, UploadedBackground};
use crate::parameter::Message;
use crate::parameters::ParameterSet;

/// An uploaded image and its decoded pixels.
#[derive(Debug)]
pub(crate) struct UploadedImage {
    bytes: Bytes,
    pixels: Background,
}

impl UploadedImage {
    /// Decodes a background of a request.
    pub(crate) fn decode(bytes: Bytes, limits: &LimitsConfig) -> HttpResult<Self> {
        let decoded = Background::decode(&bytes, "background", &image_limits(limits));
        let pixels = decoded.map_err(|error| read_problem("background", &error))?;
        Ok(Self { bytes, pixels })
    }

    /// Width and height in pixels.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.pixels.width(), self.pixels.height())
    }

    fn as_background(&self) -> UploadedBackground<'_> {
        UploadedBackground { bytes: &self.bytes, size: self.size() }
    }
}

/// Converts an error of rendering a mask to a problem. Errors of other inputs concern files of the server.
pub(crate) fn mask_problem(error: Error) -> Box<Problem> {
    match error {
        Error::Input { input, message } if input.as_os_str() == "mask" => {
            Problem::parameter("mask", message.with_keys())
        }
        other => other.into(),
    }
}

/// The problem of a file of a parameter that cannot be read. One of several files is named.
fn read_problem(parameter: &str, error: &ReadError) -> Box<Problem> {
    let message = if error.input() == parameter { error.message().to_owned() } else { error.to_string() };
    let limit = match error.limit() {
        None => return Problem::parameter(parameter, message),
        Some(Limit::Bytes) => "limits.mask_body",
        Some(Limit::Cells) => "limits.mask_cells",
        Some(Limit::Pixels) => "limits.pixels",
        Some(Limit::Labels) => "limits.mask_labels",
        Some(Limit::Vertices) => "limits.mask_vertices",
        Some(Limit::Steps) => "limits.mask_steps",
    };
    Problem::too_large(limit, message)
}

impl Masks {
    /// The folder, for work on a blocking thread.
    pub(crate) fn folder(&self) -> Arc<MaskFolder> {
        Arc::clone(&self.folder)
    }

    /// Reads the mask files of a request. Returns the mask, and remarks of the reader.
    pub(crate) fn read_mask(files: &[MaskFile], reading: &MaskReading) -> HttpResult<(Mask, Vec<String>)> {
        let files: Vec<_> = files.iter().map(|file| AnnotationFile { name: &file.name, bytes: &file.bytes }).collect();
        let read = reading.options.read(&files, &reading.context);
        let (mask, report) = read.map_err(|error| read_problem("mask", &error))?;
        let mut remarks: Vec<_> = mask.remarks().iter().map(Message::with_keys).collect();
        remarks.extend(report.iter().flat_map(AnnotationReport::remarks));
        Ok((mask, remarks))
    }

    /// Stores a new mask, and caches its values and its levels in `style` for the first picture.
    pub(crate) fn create(
        &self,
        keep: &RetentionLimits,
        mask: Mask,
        background: Option<&UploadedImage>,
        style: &MaskStyle,
        describe: impl FnOnce(&mut MaskRecord),
    ) -> HttpResult<(MaskId, MaskRecord)> {
        let levels = Levels::of(&mask, style, 1).map_err(mask_problem)?;
        let now_s = now_s();
        let bytes = mask.bytes() + background.map_or(0, |background| background.bytes.len());
        self.make_room(now_s, keep, 1, bytes as u64)?;
        let background = background.map(UploadedImage::as_background);
        let (id, record) = self.folder.create(now_s, &mask, background, describe)?;
        self.metrics.created(bytes as u64);
        self.keep_in_memory(&record, mask, levels, style)?;
        Ok((id, record))
    }

    fn keep_in_memory(&self, record: &MaskRecord, mask: Mask, levels: Levels, style: &MaskStyle) -> Result<()> {
        self.cache.mask(record.values_key(), || Ok(mask))?;
        self.cache.levels(&levels_key(record.values_key(), style), || Ok(levels)).map(drop)
    }

    /// Removes the oldest masks if `count` more, of `bytes`, exceed the limits.
    fn make_room(&self, now_s: u64, keep: &RetentionLimits, count: u64, bytes: u64) -> HttpResult<()> {
        if bytes > keep.max_bytes {
            let why = format!("the mask of {bytes} bytes exceeds the limit of {} bytes", keep.max_bytes);
            return Err(Problem::too_large("masks.max_size", why));
        }
        let fits = || self.metrics.count() + count <= keep.max_count && self.metrics.bytes() + bytes <= keep.max_bytes;
        if fits() {
            return Ok(());
        }
        let room = RetentionLimits {
            max_count: keep.max_count.saturating_sub(count),
            max_bytes: keep.max_bytes.saturating_sub(bytes),
            ..*keep
        };
        self.sweep(&room, now_s)?;
        if fits() {
            return Ok(());
        }
        Err(Problem::busy(format!(
            "masks of the last {} s exceed masks.max_count or masks.max_size; retry later",
            keep.grace_s
        )))
    }

    /// Replaces the values of a mask; `None` if the mask does not exist. `check` may reject the new record.
    pub(crate) fn replace_values(
        &self,
        id: MaskId,
        keep: &RetentionLimits,
        mask: Mask,
        style: &MaskStyle,
        check: impl FnOnce(&mut MaskRecord) -> HttpResult<()>,
    ) -> HttpResult<Option<MaskRecord>> {
        let levels = Levels::of(&mask, style, 1).map_err(mask_problem)?;
        self.make_room(now_s(), keep, 0, mask.bytes() as u64)?;
        let replaced = self.folder.replace(id, Some(&mask), None, check)?;
        if let Some(record) = &replaced {
            self.keep_in_memory(record, mask, levels, style)?;
        }
        Ok(replaced)
    }

    /// Replaces the background of a mask; `None` if the mask does not exist. `check` may reject the new record.
    pub(crate) fn replace_background(
        &self,
        id: MaskId,
        keep: &RetentionLimits,
        background: UploadedImage,
        check: impl FnOnce(&mut MaskRecord) -> HttpResult<()>,
    ) -> HttpResult<Option<MaskRecord>> {
        self.make_room(now_s(), keep, 0, background.bytes.len() as u64)?;
        let replaced = self.folder.replace(id, None, Some(background.as_background()), check)?;
        if let Some(key) = replaced.as_ref().and_then(MaskRecord::background_key) {
            self.cache.background(key, || Ok(background.pixels))?;
        }
        Ok(replaced)
    }

    /// Removes a mask, and ends the streams of its clicks. Returns whether the mask existed.
    pub(crate) fn remove(&self, id: MaskId) -> Result<bool> {
        let existed = self.folder.remove(id)?;
        if existed {
            self.metrics.removed();
        }
        self.clicks.end(id);
        Ok(existed)
    }

    /// Removes expired masks, and the oldest masks beyond the limits.
    pub(crate) fn sweep(&self, keep: &RetentionLimits, now_s: u64) -> Result<MaskSweepReport> {
        let report = self.folder.sweep(keep, now_s)?;
        report.ids.iter().for_each(|id| self.clicks.end(*id));
        self.metrics.swept(&report);
        Ok(report)
    }

    /// The value at a row and a column.
    pub(crate) fn value(&self, id: MaskId, record: &MaskRecord, row: usize, column: usize) -> Result<Option<f64>> {
        match self.cache.cached_mask(record.values_key()) {
            Some(mask) => Ok(mask.value(row, column)),
            None => self.folder.value(id, record, row, column),
        }
    }

    /// The levels of a mask in a style.
    pub(crate) fn levels(&self, id: MaskId, record: &MaskRecord, style: &MaskStyle) -> Result<Arc<Levels>> {
        self.cache.levels(&levels_key(record.values_key(), style), || {
            let mask = self.cache.mask(record.values_key(), || self.folder.mask(id, record))?;
            Levels::of(&mask, style, 1)
        })
    }

    /// Renders a mask, over its background if `over` and it has one.
    pub(crate) fn render(
        &self,
        id: MaskId,
        record: &MaskRecord,
        style: &MaskStyle,
        over: bool,
        limits: &LimitsConfig,
        stop: &AtomicBool,
    ) -> Result<Picture> {
        let check_cancelled = || if stop.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) };
        let levels = self.levels(id, record, style)?;
        check_cancelled()?;
        let background = record.background_key().filter(|_| over);
        let background = background.map(|key| {
            self.cache.background(key, || {
                let bytes = self.folder.background(id, record)?.unwrap_or_default();
                Background::decode(&bytes, "background", &image_limits(limits)).map_err(ReadError::into_error)
            })
        });
        let background = background.transpose()?;
        check_cancelled()?;
        render_levels(&levels, style, background.as_deref(), 1)
    }
}

/// The limits of images.
fn image_limits(limits: &LimitsConfig) -> ImageLimits {
    ImageLimits { max_pixels: limits.pixels as usize, max_bytes: limits.mask_body.bytes() as usize }
}

/// The cache key of levels: the values and the style parameters that affect levels.
fn levels_key(values: &str, style: &MaskStyle) -> String {
    let MaskStyle { vmin, vmax, transparent_low, blur, .. } = style;
    let bits = |bound: Option<f64>| bound.map(f64::to_bits);
    format!("{values}/{:?}/{:?}/{transparent_low}/{blur:?}", bits(*vmin), bits(*vmax))
}

/// The canonical text of a picture, for `ETag`s and caches. No client can construct another mask with the same text.
pub(crate) fn picture_key(record: &MaskRecord, options: &MaskOptions, over: bool) -> String {
    let background = record.background_key().filter(|_| over).unwrap_or("-");
    let pairs: Vec<String> = options.pairs().into_iter().map(|(name, text)| format!("{name}={text:?}")).collect();
    format!("masks/{}/{background}?{}", record.values_key(), pairs.join("&"))
}
