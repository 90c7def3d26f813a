//! Reading and changing stored masks for requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::Masks;
use crate::config::LimitsConfig;
use crate::error::{Error, Result};
use crate::http::server::problem::{Answer, Problem};
use crate::images::RetentionLimits;
use crate::mask::array::{self, ReadArrayOptions};
use crate::mask::{Background, ImageLimits, Levels, Mask, MaskStyle, Picture, render_levels};
use crate::masks::{MaskFolder, MaskId, MaskOptions, MaskRecord, MaskSweepReport, UploadedBackground};

/// Changes of a stored mask.
#[derive(Debug, Default)]
pub(crate) struct MaskChange {
    /// Other values.
    pub(crate) mask: Option<Mask>,
    /// Another background as it was uploaded, and its size in pixels.
    pub(crate) background: Option<(Vec<u8>, (usize, usize))>,
}

impl MaskChange {
    fn background(&self) -> Option<UploadedBackground<'_>> {
        self.background.as_ref().map(|(bytes, size)| UploadedBackground { bytes, size: *size })
    }
}

impl Masks {
    /// The folder, for work on a blocking thread.
    pub(crate) fn folder(&self) -> Arc<MaskFolder> {
        Arc::clone(&self.folder)
    }

    /// Reads an array of a request.
    pub(crate) fn read_array(bytes: &[u8], options: &ReadArrayOptions) -> Answer<Mask> {
        array::read(bytes, "mask", options).map_err(|error| match error {
            Error::Input { message, .. } => {
                let message = message.with_keys();
                let limits = &options.limits;
                // The reader does not know how the configuration calls its limits.
                if message.ends_with(&format!("the limit of {}", limits.max_cells)) {
                    Problem::too_large("limits.mask_cells", message)
                } else if message.ends_with(&format!("the limit of {} bytes", limits.max_bytes)) {
                    Problem::too_large("limits.mask_body", message)
                } else {
                    Problem::parameter("mask", message)
                }
            }
            other => other.into(),
        })
    }

    /// Decodes a background of a request.
    pub(crate) fn read_background(bytes: &[u8], limits: &LimitsConfig) -> Answer<Background> {
        Background::decode(bytes, "background", &image_limits(limits)).map_err(|error| match error {
            Error::Input { message, .. } => {
                let (message, max) = (message.with_keys(), limits.pixels);
                if message.ends_with(&format!("the limit of {max}")) || message.contains(&format!(" {max} pixels")) {
                    Problem::too_large("limits.pixels", message)
                } else {
                    Problem::parameter("background", message)
                }
            }
            other => other.into(),
        })
    }

    /// Stores a new mask. Its levels in `style` are kept for the first picture.
    pub(crate) fn create(
        &self,
        now_s: u64,
        keep: &RetentionLimits,
        change: &MaskChange,
        describe: impl FnOnce(&mut MaskRecord),
    ) -> Answer<(MaskId, MaskRecord)> {
        let Some(mask) = &change.mask else { return Err(Problem::parameter("mask", "missing; send an array")) };
        let bytes = mask.bytes() + change.background.as_ref().map_or(0, |(bytes, _)| bytes.len());
        self.make_room(now_s, keep, bytes as u64)?;
        let (id, record) = self.folder.create(now_s, mask, change.background(), describe)?;
        self.metrics.created(bytes as u64);
        Ok((id, record))
    }

    /// Removes the oldest masks if one of `bytes` more exceeds the limits.
    fn make_room(&self, now_s: u64, keep: &RetentionLimits, bytes: u64) -> Answer<()> {
        if bytes > keep.max_bytes {
            let why = format!("the mask has {bytes} bytes, which exceeds {}", keep.max_bytes);
            return Err(Problem::too_large("masks.max_size", why));
        }
        let fits = || self.metrics.count() < keep.max_count && self.metrics.bytes() + bytes <= keep.max_bytes;
        if fits() {
            return Ok(());
        }
        let room = RetentionLimits {
            max_count: keep.max_count.saturating_sub(1),
            max_bytes: keep.max_bytes.saturating_sub(bytes),
            ..*keep
        };
        self.sweep(&room, now_s)?;
        if fits() {
            return Ok(());
        }
        Err(Problem::busy(format!(
            "masks.max_count or masks.max_size is exhausted by masks of the last {} s; retry later",
            keep.grace_s
        )))
    }

    /// Replaces values, the background or what `change` changes of the record; `None` if there is no such mask.
    pub(crate) fn replace(
        &self,
        id: MaskId,
        new: &MaskChange,
        change: impl FnOnce(&mut MaskRecord) -> Answer<()>,
    ) -> Answer<Option<MaskRecord>> {
        self.folder.replace(id, new.mask.as_ref(), new.background(), change)
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

    /// Removes masks that are too old or too many.
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
        let go_on = || if stop.load(Ordering::Relaxed) { Err(Error::Cancelled) } else { Ok(()) };
        let levels = self.levels(id, record, style)?;
        go_on()?;
        let background = record.background_key().filter(|_| over);
        let background = background.map(|key| {
            self.cache.background(key, || {
                let bytes = self.folder.background(id, record)?.unwrap_or_default();
                Background::decode(&bytes, "background", &image_limits(limits))
            })
        });
        let background = background.transpose()?;
        go_on()?;
        render_levels(&levels, style, background.as_deref(), 1)
    }
}

/// The limits of images.
fn image_limits(limits: &LimitsConfig) -> ImageLimits {
    ImageLimits { max_pixels: limits.pixels as usize, max_bytes: limits.mask_body.bytes() as usize }
}

/// What the levels of values depend on.
fn levels_key(values: &str, style: &MaskStyle) -> String {
    let MaskStyle { vmin, vmax, transparent_low, blur, .. } = style;
    let bits = |bound: Option<f64>| bound.map(f64::to_bits);
    format!("{values}/{:?}/{:?}/{transparent_low}/{blur:?}", bits(*vmin), bits(*vmax))
}

/// The style of options, whose colors are those of `find`.
pub(crate) fn picture_key(record: &MaskRecord, options: &MaskOptions, over: bool) -> String {
    use crate::parameters::ParameterSet;
    let background = record.background_key().filter(|_| over).unwrap_or("-");
    let pairs: Vec<String> = options.pairs().into_iter().map(|(name, text)| format!("{name}={text:?}")).collect();
    format!("masks/{}/{background}?{}", record.values_key(), pairs.join("&"))
}
