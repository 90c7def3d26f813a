//! Reading and changing stored masks for requests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, MutexGuard, PoisonError};

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

    /// Stores a new mask, and caches its values and its levels in `style` for the first picture. The mask is not stored if the
    /// request is cancelled, which sets `stop`.
    pub(crate) fn create(
        &self,
        keep: &RetentionLimits,
        mask: Mask,
        background: Option<&UploadedImage>,
        style: &MaskStyle,
        stop: &AtomicBool,
        describe: impl FnOnce(&mut MaskRecord),
    ) -> HttpResult<(MaskId, MaskRecord)> {
        check_cancelled(stop)?;
        let levels = Levels::of(&mask, style, 1).map_err(mask_problem)?;
        check_cancelled(stop)?;
        let now_s = now_s();
        let bytes = (mask.bytes() + background.map_or(0, |background| background.bytes.len())) as u64;
        let (id, record) = {
            let _accounting = self.accounting();
            self.make_room(now_s, keep, Growth { masks: 1, mask_bytes: bytes, added_bytes: bytes })?;
            let background = background.map(UploadedImage::as_background);
            let created = self.folder.create(now_s, &mask, background, describe)?;
            self.metrics.created(self.folder.bytes(created.0));
            created
        };
        if let Err(stopped) = check_cancelled(stop) {
            // The client does not receive the id.
            self.remove(id)?;
            return Err(stopped.into());
        }
        self.keep_in_memory(&record, mask, levels, style)?;
        Ok((id, record))
    }

    fn keep_in_memory(&self, record: &MaskRecord, mask: Mask, levels: Levels, style: &MaskStyle) -> Result<()> {
        self.cache.mask(record.values_key(), || Ok(mask))?;
        self.cache.levels(&levels_key(record.values_key(), style), || Ok(levels)).map(drop)
    }

    /// Locks the size of the folder from the check of `masks.max_size` until the written bytes are counted, so that concurrent
    /// requests do not exceed the limit.
    fn accounting(&self) -> MutexGuard<'_, ()> {
        self.accounting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the oldest masks if `growth` exceeds the limits. The caller has locked `accounting`.
    fn make_room(&self, now_s: u64, keep: &RetentionLimits, growth: Growth) -> HttpResult<()> {
        let Growth { masks, mask_bytes, added_bytes } = growth;
        if mask_bytes > keep.max_bytes {
            let why = format!("the mask of {mask_bytes} bytes exceeds the limit of {} bytes", keep.max_bytes);
            return Err(Problem::too_large("masks.max_size", why));
        }
        let fits =
            || self.metrics.count() + masks <= keep.max_count && self.metrics.bytes() + added_bytes <= keep.max_bytes;
        if fits() {
            return Ok(());
        }
        let room = RetentionLimits {
            max_count: keep.max_count.saturating_sub(masks),
            max_bytes: keep.max_bytes.saturating_sub(added_bytes),
            ..*keep
        };
        self.sweep_counted(&room, now_s)?;
        if fits() {
            return Ok(());
        }
        Err(Problem::busy(format!(
            "masks of the last {} s exceed masks.max_count or masks.max_size; retry later",
            keep.grace_s
        )))
    }

    /// Replaces the values of a mask; `None` if the mask does not exist. `check` may reject the new record. The mask is unchanged
    /// if the request is cancelled, which sets `stop`.
    pub(crate) fn replace_values(
        &self,
        id: MaskId,
        keep: &RetentionLimits,
        mask: Mask,
        style: &MaskStyle,
        stop: &AtomicBool,
        check: impl FnOnce(&mut MaskRecord) -> HttpResult<()>,
    ) -> HttpResult<Option<MaskRecord>> {
        check_cancelled(stop)?;
        let levels = Levels::of(&mask, style, 1).map_err(mask_problem)?;
        check_cancelled(stop)?;
        let replaced = self.replace(id, keep, Some(&mask), None, stop, check)?;
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
        stop: &AtomicBool,
        check: impl FnOnce(&mut MaskRecord) -> HttpResult<()>,
    ) -> HttpResult<Option<MaskRecord>> {
        check_cancelled(stop)?;
        let replaced = self.replace(id, keep, None, Some(background.as_background()), stop, check)?;
        if let Some(key) = replaced.as_ref().and_then(MaskRecord::background_key) {
            self.cache.background(key, || Ok(background.pixels))?;
        }
        Ok(replaced)
    }

    /// Replaces files of a mask within `masks.max_size`, and counts their bytes.
    fn replace(
        &self,
        id: MaskId,
        keep: &RetentionLimits,
        mask: Option<&Mask>,
        background: Option<UploadedBackground<'_>>,
        stop: &AtomicBool,
        check: impl FnOnce(&mut MaskRecord) -> HttpResult<()>,
    ) -> HttpResult<Option<MaskRecord>> {
        let _accounting = self.accounting();
        let Some(old) = self.folder.record(id)? else { return Ok(None) };
        let old_bytes = [old.values_bytes(), self.folder.background_bytes(id, &old)];
        let new_bytes = [
            mask.map_or(old_bytes[0], |mask| mask.bytes() as u64),
            background.map_or(old_bytes[1], |background| background.bytes.len() as u64),
        ];
        let [old_bytes, new_bytes] =
            [old_bytes, new_bytes].map(|[values, background]| values.saturating_add(background));
        let added_bytes = new_bytes.saturating_sub(old_bytes);
        self.make_room(now_s(), keep, Growth { masks: 0, mask_bytes: new_bytes, added_bytes })?;
        let before = self.folder.bytes(id);
        let replaced = self.folder.replace(id, mask, background, |record| {
            // The last check before files change.
            check_cancelled(stop)?;
            check(record)
        });
        self.metrics.resized(before, self.folder.bytes(id));
        replaced
    }

    /// Removes a mask, and ends the streams of its clicks. Returns whether the mask existed.
    pub(crate) fn remove(&self, id: MaskId) -> Result<bool> {
        let existed = {
            let _accounting = self.accounting();
            let bytes = self.folder.bytes(id);
            let existed = self.folder.remove(id)?;
            if existed {
                self.metrics.removed(bytes);
            }
            existed
        };
        self.clicks.end(id);
        Ok(existed)
    }

    /// Removes expired masks, and the oldest masks beyond the limits.
    pub(crate) fn sweep(&self, keep: &RetentionLimits, now_s: u64) -> Result<MaskSweepReport> {
        let _accounting = self.accounting();
        self.sweep_counted(keep, now_s)
    }

    /// As [`sweep`](Self::sweep), for a caller that has locked `accounting`.
    fn sweep_counted(&self, keep: &RetentionLimits, now_s: u64) -> Result<MaskSweepReport> {
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

    /// The memory for the values and pixels that a picture needs and the cache does not contain, in bytes.
    pub(super) fn reload_bytes(&self, record: &MaskRecord, style: &MaskStyle, over: bool) -> u64 {
        /// Red, green, blue and opacity.
        const PIXEL_BYTES: u64 = 4;
        let values = if self.has_levels(record, style) { 0 } else { record.values_bytes() };
        let background = record.background_key().filter(|key| over && !self.cache.has_background(key));
        let pixels = background.and_then(|_| record.background_size()).map_or(0, |(width, height)| width * height);
        values.saturating_add(pixels as u64 * PIXEL_BYTES)
    }

    /// Whether the levels of a mask in a style are in the cache.
    pub(crate) fn has_levels(&self, record: &MaskRecord, style: &MaskStyle) -> bool {
        self.cache.has_levels(&levels_key(record.values_key(), style))
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
        let levels = self.levels(id, record, style)?;
        check_cancelled(stop)?;
        let background = record.background_key().filter(|_| over);
        let background = background.map(|key| {
            self.cache.background(key, || {
                let bytes = self.folder.background(id, record)?.unwrap_or_default();
                Background::decode(&bytes, "background", &image_limits(limits)).map_err(ReadError::into_error)
            })
        });
        let background = background.transpose()?;
        check_cancelled(stop)?;
        render_levels(&levels, style, background.as_deref(), 1)
    }
}

/// The growth of the folder of masks by a request.
#[derive(Clone, Copy, Debug)]
struct Growth {
    /// New masks.
    masks: u64,
    /// The size of the mask after the request, in bytes.
    mask_bytes: u64,
    /// The bytes that the request adds.
    added_bytes: u64,
}

/// Returns [`Error::Cancelled`] if `stop` is set.
fn check_cancelled(stop: &AtomicBool) -> Result<()> {
    if stop.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) }
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
