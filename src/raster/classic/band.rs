//! A band of rows, and which of its tiles are still alive.
//!
//! A pixel that has come down to 0 stays there, so a tile with nothing but zeros is dead: no dot needs to look at it.

use super::cone::{Cone, LANES};
use super::{Dots, Window};

/// A tile's columns. Not fewer than [`LANES`], so that what is drawn past a row of live tiles stays in a dead one.
const TILE_WIDTH: usize = 64;

/// A tile's rows.
const TILE_HEIGHT: usize = 8;

/// Points that are sifted at once.
const BATCH: usize = 1024;

/// Rows per band: whole tiles, and a few bands per thread, so that crowded bands even out.
pub(super) fn rows_for(height: usize, threads: usize) -> usize {
    height.div_ceil(threads.max(1) * 4).next_multiple_of(TILE_HEIGHT)
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
        east: (window.column + window.width) as f32 - 1.0 + cone.reach(),
        south: (window.row + window.height) as f32 - 1.0 + cone.reach(),
    }
}

impl Field {
    /// Whether a position lies inside. One that is not finite does not.
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
        let (tiles, tile_rows) = (part.width.div_ceil(TILE_WIDTH), part.height.div_ceil(TILE_HEIGHT));
        let stride = tiles * TILE_WIDTH + LANES;
        let mut cells = vec![0; stride * tile_rows * TILE_HEIGHT];
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
        let start = tile_row * TILE_HEIGHT * self.stride + tile * TILE_WIDTH;
        let mut rows = self.cells[start..].chunks(self.stride).take(TILE_HEIGHT);
        if rows.all(|row| row[..TILE_WIDTH] == [0; TILE_WIDTH]) {
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
        let west = (columns.start - column).max(0) as usize / TILE_WIDTH;
        let east = ((columns.end - column).max(0) as usize).div_ceil(TILE_WIDTH).min(self.tiles);
        for tile_row in rows.start / TILE_HEIGHT..rows.end.div_ceil(TILE_HEIGHT) {
            let top = rows.start.max(tile_row * TILE_HEIGHT);
            let bottom = rows.end.min((tile_row + 1) * TILE_HEIGHT);
            let mut tile = self.next_live(tile_row, west);
            while tile < east {
                let first = tile;
                while tile < east && self.next[tile_row * (self.tiles + 1) + tile] as usize == tile {
                    tile += 1;
                }
                let west = columns.start.max((first * TILE_WIDTH) as i32 + column);
                let east = columns.end.min((tile * TILE_WIDTH) as i32 + column);
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

/// Draws all dots that reach into the band, in their order.
#[inline(always)]
fn paint_body(band: &mut Band, dots: &Dots<'_>) {
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

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn paint_avx2(band: &mut Band, dots: &Dots<'_>) {
    paint_body(band, dots);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn paint_avx512(band: &mut Band, dots: &Dots<'_>) {
    paint_body(band, dots);
}

/// Draws all dots that reach into the band, in their order, with the widest vectors this machine has.
pub(super) fn paint(band: &mut Band, dots: &Dots<'_>) {
    #[cfg(target_arch = "x86_64")]
    {
        let mode = std::env::var("KMODE").unwrap_or_default();
        if mode == "512" {
            return unsafe { paint_avx512(band, dots) };
        }
        if mode == "2" {
            return unsafe { paint_avx2(band, dots) };
        }
    }
    paint_body(band, dots);
}
