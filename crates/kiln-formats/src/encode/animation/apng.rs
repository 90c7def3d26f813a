//! The animated PNG, which every browser plays.

use std::io::{self, Write};

use image::RgbaImage;
use png::{BitDepth, BlendOp, ColorType, DeflateCompression, DisposeOp, Encoder, EncodingError, Filter, Writer};

use super::Part;
use crate::encode::write_error;
use kiln_core::error::{Error, Result};

/// An animated PNG that is being written.
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
        encoder.set_animated(frames, 0).map_err(refused)?;
        encoder.set_frame_delay(delay_ms, 1000).map_err(refused)?;
        encoder.set_dispose_op(DisposeOp::None).map_err(refused)?;
        encoder.set_blend_op(BlendOp::Source).map_err(refused)?;
        encoder.validate_sequence(true);
        Ok(Self { writer: encoder.write_header().map_err(refused)? })
    }

    pub(super) fn push(&mut self, picture: &RgbaImage, part: Part) -> Result<()> {
        self.writer.reset_frame_position().map_err(refused)?;
        self.writer.set_frame_dimension(part.width, part.height).map_err(refused)?;
        self.writer.set_frame_position(part.left, part.top).map_err(refused)?;
        let bytes: Vec<u8> = part.colors(picture).flatten().collect();
        self.writer.write_image_data(&bytes).map_err(refused)
    }

    pub(super) fn finish(self) -> Result<()> {
        self.writer.finish().map_err(refused)
    }
}

fn refused(error: EncodingError) -> Error {
    write_error(match error {
        EncodingError::IoError(source) => source,
        other => io::Error::other(other),
    })
}
