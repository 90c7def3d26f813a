//! A band of rows that skips saturated tiles.
//!
//! A pixel that is 0 stays 0, so a tile of zeros is saturated: no dot changes it.

use super::cone::{Cone, LANES};
use super::{Dots, Window};

/// The side of a tile in pixels.
const TILE: usize = 16;

/// Points filtered at a time.
const BATCH: usize = 1024;

/// Rows per band: a multiple of the tile side, with a few bands per thread for load balancing.
pub(super) fn rows_for(height: usize, threads: usize) -> usize {
    height.div_ceil(threads.max(1).saturating_mul(4)).next_multiple_of(TILE)
}

/// The bounds, exclusive, of the positions of dots that overlap a window.
pub(super) struct ReachBounds {
    west: f32,
    north: f32,
    east: f32,
    south: f32,
}

/// The bounds of the positions of dots that overlap `window`.
pub(super) fn reach_bounds(window: Window, cone: &Cone) -> ReachBounds {
    ReachBounds {
        west: window.column as f32 - cone.reach(),
        north: window.row as f32 - cone.reach(),
        east: window.column as f32 + window.width as f32 - 1.0 + cone.reach(),
        south: window.row as f32 + window.height as f32 - 1.0 + cone.reach(),
    }
}

impl ReachBounds {
    /// Whether a position is inside. Positions that are not finite are not.
    // Branchless: the results are unpredictable.
    #[allow(clippy::needless_bitwise_bool)]
    #[inline(always)]
    pub(super) fn contains(&self, px: f32, py: f32) -> bool {
        (px > self.west) & (px < self.east) & (py > self.north) & (py < self.south)
    }
}

/// The pixels of a window, padded to a multiple of the tile side.
pub(super) struct Band {
    window: Window,
    /// The number of tiles per row of tiles.
    tiles: usize,
    stride: usize,
    cells: Vec<u8>,
    /// A union-find structure per row of tiles: for each tile, the tile itself if it is not saturated, otherwise a tile
    /// further east that is not beyond the next unsaturated one. A sentinel ends each row.
    next: Vec<u32>,
    /// The number of unsaturated tiles.
    unsaturated: usize,
}

impl Band {
    /// The band of `window` before the first dot. The padding starts at 0, which no dot changes.
    pub(super) fn new(window: Window) -> Self {
        let (tiles, tile_rows) = (window.width.div_ceil(TILE), window.height.div_ceil(TILE));
        let stride = tiles * TILE + LANES;
        let mut cells = vec![0; stride * tile_rows * TILE];
        for row in cells.chunks_exact_mut(stride).take(window.height) {
            row[..window.width].fill(u8::MAX);
        }
        let next = (0..tile_rows).flat_map(|_| 0..=tiles as u32).collect();
        Self { window, tiles, stride, cells, next, unsaturated: tiles * tile_rows }
    }

    /// Copies the pixels, without the padding, to `pixels`.
    pub(super) fn write_to(&self, pixels: &mut [u8]) {
        for (to, from) in pixels.chunks_exact_mut(self.window.width).zip(self.cells.chunks_exact(self.stride)) {
            to.copy_from_slice(&from[..self.window.width]);
        }
    }

    /// The first unsaturated tile of a row of tiles from `tile` on. Halves the path for later searches.
    #[inline(always)]
    fn next_unsaturated(&mut self, tile_row: usize, tile: usize) -> usize {
        let next = &mut self.next[tile_row * (self.tiles + 1)..][..=self.tiles];
        let mut tile = tile;
        while next[tile] as usize != tile {
            next[tile] = next[next[tile] as usize];
            tile = next[tile] as usize;
        }
        tile
    }

    /// Marks a tile as saturated if all its pixels are 0.
    #[inline(always)]
    fn update_saturation(&mut self, tile_row: usize, tile: usize) {
        let start = tile_row * TILE * self.stride + tile * TILE;
        let mut rows = self.cells[start..].chunks(self.stride).take(TILE);
        if rows.all(|row| row[..TILE] == [0; TILE]) {
            self.next[tile_row * (self.tiles + 1) + tile] = tile as u32 + 1;
            self.unsaturated -= 1;
        }
    }

    /// Draws a dot that overlaps the band.
    #[inline(always)]
    fn draw(&mut self, cone: &Cone, px: f32, py: f32) {
        let (column, row) = (self.window.column as i32, self.window.row as i32);
        let (rows, columns) = cone.extent(px, py);
        let rows = (rows.start - row).max(0) as usize..(rows.end - row).clamp(0, self.window.height as i32) as usize;
        let west = (columns.start - column).max(0) as usize / TILE;
        let east = ((columns.end - column).max(0) as usize).div_ceil(TILE).min(self.tiles);
        for tile_row in rows.start / TILE..rows.end.div_ceil(TILE) {
            let top = rows.start.max(tile_row * TILE);
            let bottom = rows.end.min((tile_row + 1) * TILE);
            let mut tile = self.next_unsaturated(tile_row, west);
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
                for drawn in first..tile {
                    self.update_saturation(tile_row, drawn);
                }
                tile = self.next_unsaturated(tile_row, tile);
            }
        }
    }
}

/// Draws all dots that overlap the band, in order, with the vector width of the caller's target features.
#[inline(always)]
pub(super) fn paint_body(band: &mut Band, dots: &Dots<'_>) {
    let reach = reach_bounds(band.window, &dots.cone);
    let mut inside = [(0.0, 0.0); BATCH];
    for (px, py) in dots.px.chunks(BATCH).zip(dots.py.chunks(BATCH)) {
        if band.unsaturated == 0 || dots.is_stopped() {
            break;
        }
        let mut count = 0;
        for (&px, &py) in px.iter().zip(py) {
            inside[count] = (px, py);
            count += usize::from(reach.contains(px, py));
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

/// Draws all dots that overlap the band, in order, with the widest vectors of this CPU.
///
/// The width affects only the speed: every operation is a plain IEEE operation per lane, and none are fused.
pub(super) fn paint(band: &mut Band, dots: &Dots<'_>) {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
        {
            // SAFETY: the function is safe except for the four features that it requires, which were detected above.
            #[allow(unsafe_code)]
            return unsafe { paint_avx512(band, dots) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the function is safe except for the feature that it requires, which was detected above.
            #[allow(unsafe_code)]
            return unsafe { paint_avx2(band, dots) };
        }
    }
    paint_body(band, dots);
}
