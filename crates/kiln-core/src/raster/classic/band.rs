//! A band of rows, and which of its tiles are still alive.
//!
//! A pixel that has come down to 0 stays there, so a tile with nothing but zeros is dead: no dot needs to look at it.

use super::cone::{Cone, LANES};
use super::{Dots, Window};

/// A tile's columns and rows.
const TILE: usize = 16;

/// Points that are sifted at once.
const BATCH: usize = 1024;

/// Rows per band: whole tiles, and a few bands per thread, so that crowded bands even out.
pub(super) fn rows_for(height: usize, threads: usize) -> usize {
    height.div_ceil(threads.max(1).saturating_mul(4)).next_multiple_of(TILE)
}

/// The positions, exclusive, from which a dot reaches into a window.
pub(super) struct Field {
    west: f32,
    north: f32,
    east: f32,
    south: f32,
}

/// The field of `window` for dots of one size.
pub(super) fn field(window: Window, cone: &Cone) -> Field {
    Field {
        west: window.column as f32 - cone.reach(),
        north: window.row as f32 - cone.reach(),
        east: window.column as f32 + window.width as f32 - 1.0 + cone.reach(),
        south: window.row as f32 + window.height as f32 - 1.0 + cone.reach(),
    }
}

impl Field {
    /// Whether a position lies inside. One that is not finite does not.
    // Whole comparisons without a branch each: where a point falls cannot be predicted.
    #[allow(clippy::needless_bitwise_bool)]
    #[inline(always)]
    pub(super) fn contains(&self, px: f32, py: f32) -> bool {
        (px > self.west) & (px < self.east) & (py > self.north) & (py < self.south)
    }
}

/// Some rows of the picture, all columns of its window, padded to whole tiles.
pub(super) struct Band {
    part: Window,
    tiles: usize,
    stride: usize,
    cells: Vec<u8>,
    /// For each row of tiles and each tile in it: the tile itself if it is alive, else one further east that is not
    /// beyond the next live one. A sentinel ends each row.
    next: Vec<u32>,
    live: usize,
}

impl Band {
    /// The band `part` before the first dot. The padding starts at 0, so nothing is ever drawn there.
    pub(super) fn new(part: Window) -> Self {
        let (tiles, tile_rows) = (part.width.div_ceil(TILE), part.height.div_ceil(TILE));
        let stride = tiles * TILE + LANES;
        let mut cells = vec![0; stride * tile_rows * TILE];
        for row in cells.chunks_exact_mut(stride).take(part.height) {
            row[..part.width].fill(u8::MAX);
        }
        let next = (0..tile_rows).flat_map(|_| 0..=tiles as u32).collect();
        Self { part, tiles, stride, cells, next, live: tiles * tile_rows }
    }

    /// Writes the band's pixels, without the padding, to `pixels`.
    pub(super) fn write_to(&self, pixels: &mut [u8]) {
        for (to, from) in pixels.chunks_exact_mut(self.part.width).zip(self.cells.chunks_exact(self.stride)) {
            to.copy_from_slice(&from[..self.part.width]);
        }
    }

    /// The first live tile of a row of tiles from `tile` on, shortening the way for whoever comes next.
    #[inline(always)]
    fn next_live(&mut self, tile_row: usize, tile: usize) -> usize {
        let next = &mut self.next[tile_row * (self.tiles + 1)..][..=self.tiles];
        let mut tile = tile;
        while next[tile] as usize != tile {
            next[tile] = next[next[tile] as usize];
            tile = next[tile] as usize;
        }
        tile
    }

    /// Marks a tile dead if all its pixels are 0.
    #[inline(always)]
    fn bury(&mut self, tile_row: usize, tile: usize) {
        let start = tile_row * TILE * self.stride + tile * TILE;
        let mut rows = self.cells[start..].chunks(self.stride).take(TILE);
        if rows.all(|row| row[..TILE] == [0; TILE]) {
            self.next[tile_row * (self.tiles + 1) + tile] = tile as u32 + 1;
            self.live -= 1;
        }
    }

    /// Draws one dot that lies in the band's field.
    #[inline(always)]
    fn draw(&mut self, cone: &Cone, px: f32, py: f32) {
        let (column, row) = (self.part.column as i32, self.part.row as i32);
        let (rows, columns) = cone.extent(px, py);
        let rows = (rows.start - row).max(0) as usize..(rows.end - row).clamp(0, self.part.height as i32) as usize;
        let west = (columns.start - column).max(0) as usize / TILE;
        let east = ((columns.end - column).max(0) as usize).div_ceil(TILE).min(self.tiles);
        for tile_row in rows.start / TILE..rows.end.div_ceil(TILE) {
            let top = rows.start.max(tile_row * TILE);
            let bottom = rows.end.min((tile_row + 1) * TILE);
            let mut tile = self.next_live(tile_row, west);
            while tile < east {
                let first = tile;
                while tile < east && self.next[tile_row * (self.tiles + 1) + tile] as usize == tile {
                    tile += 1;
                }
                let west = columns.start.max((first * TILE) as i32 + column);
                let east = columns.end.min((tile * TILE) as i32 + column);
                for band_row in top..bottom {
                    let dy = (band_row as i32 + row) as f32 - py;
                    let chord = cone.chord(px, dy);
                    let (mut from, to) = (chord.start.max(west), chord.end.min(east));
                    while from < to {
                        let at = band_row * self.stride + (from - column) as usize;
                        if let Some(pixels) = self.cells[at..].first_chunk_mut() {
                            cone.shade(pixels, px, from as f32, dy, to - from);
                        }
                        from += LANES as i32;
                    }
                }
                for dying in first..tile {
                    self.bury(tile_row, dying);
                }
                tile = self.next_live(tile_row, tile);
            }
        }
    }
}

/// Draws all dots that reach into the band, in their order, with vectors as wide as the caller's features allow.
#[inline(always)]
pub(super) fn paint_body(band: &mut Band, dots: &Dots<'_>) {
    let field = field(band.part, &dots.cone);
    let mut inside = [(0.0, 0.0); BATCH];
    for (px, py) in dots.px.chunks(BATCH).zip(dots.py.chunks(BATCH)) {
        if band.live == 0 {
            break;
        }
        let mut count = 0;
        for (&px, &py) in px.iter().zip(py) {
            inside[count] = (px, py);
            count += usize::from(field.contains(px, py));
        }
        for &(px, py) in &inside[..count] {
            band.draw(&dots.cone, px, py);
        }
    }
}

/// [`paint_body`], compiled for vectors of 32 bytes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn paint_avx2(band: &mut Band, dots: &Dots<'_>) {
    paint_body(band, dots);
}

/// [`paint_body`], compiled for vectors of 64 bytes.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn paint_avx512(band: &mut Band, dots: &Dots<'_>) {
    paint_body(band, dots);
}

/// Draws all dots that reach into the band, in their order, with the widest vectors that this machine has.
///
/// The width changes nothing but the speed: every operation is an IEEE one on its own lane, and none is fused.
pub(super) fn paint(band: &mut Band, dots: &Dots<'_>) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
        {
            // SAFETY: the function is safe but for the four features it needs, and they were detected just above.
            #[allow(unsafe_code)]
            return unsafe { paint_avx512(band, dots) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the function is safe but for the feature it needs, which was detected just above.
            #[allow(unsafe_code)]
            return unsafe { paint_avx2(band, dots) };
        }
    }
    paint_body(band, dots);
}
