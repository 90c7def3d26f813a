//! The tiles of a `GeoTIFF`: predictors, and compression by several threads, in order.

use std::io;
use std::sync::mpsc;
use std::thread;

use flate2::{Compress, FlushCompress, Status};

/// The side of a tile, in pixels.
pub const TILE_PX: usize = 256;

/// One `f32`, or one RGBA color.
const PIXEL_BYTES: usize = 4;
pub(super) const ROW_BYTES: usize = TILE_PX * PIXEL_BYTES;
pub(super) const TILE_BYTES: usize = TILE_PX * ROW_BYTES;

/// The maximum size of a deflated tile: incompressible data grows by 5 bytes per block of several thousand.
pub(super) const MAX_TILE_BYTES: usize = TILE_BYTES + TILE_BYTES / 512 + 64;

/// Higher levels save little: level 6 takes up to three times as long, for 6 % fewer bytes of colors and none of
/// density.
const DEFLATE_LEVEL: u32 = 5;

/// The number of finished tiles that a thread may queue for writing: enough to balance dense and empty tiles.
const TILES_AHEAD: usize = 8;

/// The floating-point predictor: the bytes of all cells grouped by significance, each minus the previous byte.
pub(super) fn predict_floats(cells: &[f32], bytes: &mut [u8]) {
    for (x, cell) in cells.iter().enumerate() {
        for (significance, byte) in cell.to_be_bytes().into_iter().enumerate() {
            bytes[significance * TILE_PX + x] = byte;
        }
    }
    for i in (1..bytes.len()).rev() {
        bytes[i] = bytes[i].wrapping_sub(bytes[i - 1]);
    }
}

/// The horizontal predictor: each color minus the previous color.
pub(super) fn predict_colors(cells: &[u8], palette: &[[u8; 4]; 256], bytes: &mut [u8]) {
    predict(cells.iter().map(|&index| palette[usize::from(index)]), bytes);
}

/// The horizontal predictor of colors.
pub(super) fn predict(colors: impl Iterator<Item = [u8; 4]>, bytes: &mut [u8]) {
    let mut previous = [0; 4];
    for (color, pixel) in colors.zip(bytes.as_chunks_mut::<PIXEL_BYTES>().0) {
        *pixel = std::array::from_fn(|sample| color[sample].wrapping_sub(previous[sample]));
        previous = color;
    }
}

/// Calls `write` with each of `count` deflated tiles in order, while up to `threads` threads compress the next ones.
///
/// `fill(tile, bytes)` writes a tile into zeroed bytes. Tiles are assigned to threads round-robin, which keeps their
/// order.
pub(super) fn deflate_in_order(
    count: usize,
    threads: usize,
    fill: impl Fn(usize, &mut [u8]) + Sync,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let threads = threads.clamp(1, count);
    let fill = &fill;
    thread::scope(|scope| {
        let mut queues = Vec::with_capacity(threads);
        for first in 0..threads {
            let (sender, receiver) = mpsc::sync_channel(TILES_AHEAD);
            thread::Builder::new().spawn_scoped(scope, move || {
                let mut deflate = Deflate::new();
                let mut bytes = vec![0; TILE_BYTES];
                for tile in (first..count).step_by(threads) {
                    bytes.fill(0);
                    fill(tile, &mut bytes);
                    // The receiver is dropped when a write fails.
                    if sender.send(deflate.tile(&bytes)).is_err() {
                        break;
                    }
                }
            })?;
            queues.push(receiver);
        }
        (0..count).try_for_each(|tile| write(&queues[tile % threads].recv().map_err(io::Error::other)??))
    })
}

/// A compressor and its output buffer, reused for all tiles of a thread.
pub(super) struct Deflate {
    state: Compress,
    buffer: Vec<u8>,
}

impl Deflate {
    pub(super) fn new() -> Self {
        let state = Compress::new(flate2::Compression::new(DEFLATE_LEVEL), true);
        Self { state, buffer: Vec::with_capacity(MAX_TILE_BYTES) }
    }

    pub(super) fn tile(&mut self, bytes: &[u8]) -> io::Result<Vec<u8>> {
        self.state.reset();
        self.buffer.clear();
        match self.state.compress_vec(bytes, &mut self.buffer, FlushCompress::Finish)? {
            Status::StreamEnd => Ok(self.buffer.as_slice().to_vec()),
            Status::Ok | Status::BufError => Err(io::Error::other("a compressed tile exceeds its buffer")),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Read;

    use flate2::read::ZlibDecoder;

    use super::*;

    #[test]
    fn tiles_are_in_order_and_the_same_for_any_number_of_threads() {
        let fill = |tile: usize, bytes: &mut [u8]| {
            for (i, byte) in bytes.iter_mut().take(tile * 997).enumerate() {
                *byte = (i * (tile + 1) / 7) as u8;
            }
        };
        let deflated = |threads: usize| {
            let mut tiles = Vec::new();
            deflate_in_order(37, threads, fill, |tile| {
                tiles.push(tile.to_vec());
                Ok(())
            })
            .unwrap();
            tiles
        };
        let tiles = deflated(1);
        for threads in [0, 2, 3, 100] {
            assert_eq!(deflated(threads), tiles, "{threads} threads");
        }
        for (tile, deflated) in tiles.iter().enumerate() {
            let (mut expected, mut bytes) = (vec![0; TILE_BYTES], Vec::new());
            fill(tile, &mut expected);
            ZlibDecoder::new(&deflated[..]).read_to_end(&mut bytes).unwrap();
            assert!(bytes == expected, "tile {tile}");
        }
    }

    #[test]
    fn incompressible_bytes_fit_in_the_buffer() {
        let mut state = 1_u32;
        let noise: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        })
        .take(TILE_BYTES)
        .collect();
        assert!(Deflate::new().tile(&noise).unwrap().len() <= MAX_TILE_BYTES);
    }

    #[test]
    fn a_failed_write_stops_the_threads() {
        let mut written = 0;
        let error = deflate_in_order(
            1000,
            2,
            |_, _| {},
            |_| {
                written += 1;
                if written == 3 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
            },
        );
        assert!(error.is_err_and(|error| error.kind() == io::ErrorKind::StorageFull));
        assert_eq!(written, 3);
    }
}
