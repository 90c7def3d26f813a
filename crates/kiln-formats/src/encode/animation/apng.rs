//! Animated PNG, which all browsers support.

use std::io::{self, Write};

use image::RgbaImage;
use png::{BitDepth, BlendOp, ColorType, DeflateCompression, DisposeOp, Encoder, EncodingError, Filter, Writer};

use super::Region;
use crate::encode::unwritable;
use kiln_core::error::{Error, Result};

/// Encoder of an animated PNG.
pub(super) struct Apng<W: Write> {
    writer: Writer<W>,
}

impl<W: Write> Apng<W> {
    pub(super) fn new(out: W, width: u32, height: u32, frames: u32, delay_ms: u16) -> Result<Self> {
        let mut encoder = Encoder::new(out, width, height);
        encoder.set_color(ColorType::Rgb);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_deflate_compression(DeflateCompression::Level(6));
        encoder.set_filter(Filter::Up);
        encoder.set_animated(frames, 0).map_err(to_error)?;
        encoder.set_frame_delay(delay_ms, 1000).map_err(to_error)?;
        encoder.set_dispose_op(DisposeOp::None).map_err(to_error)?;
        encoder.set_blend_op(BlendOp::Source).map_err(to_error)?;
        encoder.validate_sequence(true);
        Ok(Self { writer: encoder.write_header().map_err(to_error)? })
    }

    pub(super) fn push(&mut self, picture: &RgbaImage, region: Region) -> Result<()> {
        self.writer.reset_frame_position().map_err(to_error)?;
        self.writer.set_frame_dimension(region.width, region.height).map_err(to_error)?;
        self.writer.set_frame_position(region.left, region.top).map_err(to_error)?;
        let bytes: Vec<u8> = region.colors(picture).flatten().collect();
        self.writer.write_image_data(&bytes).map_err(to_error)
    }

    pub(super) fn finish(self) -> Result<()> {
        self.writer.finish().map_err(to_error)
    }
}

fn to_error(error: EncodingError) -> Error {
    unwritable(match error {
        EncodingError::IoError(source) => source,
        other => io::Error::other(other),
    })
}
