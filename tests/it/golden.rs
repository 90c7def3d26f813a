//! Pictures compared with references in `tests/golden/`.
//!
//! Decoded pixels are compared, never the bytes of a PNG. A missing reference fails. A mismatch writes expected |
//! actual | difference to `target/golden-diffs/`. `KILN_BLESS=1` writes the references instead; look at them before
//! they are committed.

use std::fs::{self, File};
use std::io::{BufReader, BufWriter};
use std::path::{Path, PathBuf};

/// The folder of the references.
pub(crate) const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");

/// The folder that mismatches are written to.
const DIFFS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/target/golden-diffs");

/// Decoded pixels, row by row: one byte each (gray) or four (RGBA).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Picture {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) pixels: Vec<u8>,
}

impl Picture {
    pub(crate) fn gray(width: usize, height: usize, pixels: &[u8]) -> Self {
        assert_eq!(pixels.len(), width * height);
        Self { width, height, pixels: pixels.to_vec() }
    }

    pub(crate) fn rgba(width: usize, height: usize, pixels: impl IntoIterator<Item = [u8; 4]>) -> Self {
        let pixels: Vec<u8> = pixels.into_iter().flatten().collect();
        assert_eq!(pixels.len(), width * height * 4);
        Self { width, height, pixels }
    }

    /// Decodes a PNG: gray if it is plain 8-bit gray, else RGBA (palettes are expanded).
    pub(crate) fn decode(png: impl std::io::BufRead + std::io::Seek) -> Result<Self, png::DecodingError> {
        let mut decoder = png::Decoder::new(png);
        decoder.set_transformations(png::Transformations::EXPAND | png::Transformations::STRIP_16);
        let mut reader = decoder.read_info()?;
        let mut bytes = vec![0; reader.output_buffer_size().expect("a picture fits in memory")];
        let frame = reader.next_frame(&mut bytes)?;
        bytes.truncate(frame.buffer_size());
        let (width, height) = (frame.width as usize, frame.height as usize);
        Ok(match frame.color_type {
            png::ColorType::Grayscale => Self::gray(width, height, &bytes),
            png::ColorType::GrayscaleAlpha => {
                Self::rgba(width, height, bytes.chunks(2).map(|p| [p[0], p[0], p[0], p[1]]))
            }
            png::ColorType::Rgb => Self::rgba(width, height, bytes.chunks(3).map(|p| [p[0], p[1], p[2], 255])),
            _ => Self { width, height, pixels: bytes },
        })
    }

    /// Reads the reference at `path`. A missing or invalid file is an error.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| format!("no reference {}: {error}", path.display()))?;
        Self::decode(BufReader::new(file)).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn write(&self, path: &Path) {
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("the folder can be created");
        let file = BufWriter::new(File::create(path).expect("the picture can be written"));
        let mut encoder = png::Encoder::new(file, self.width as u32, self.height as u32);
        encoder.set_color(if self.channels() == 1 { png::ColorType::Grayscale } else { png::ColorType::Rgba });
        encoder
            .write_header()
            .and_then(|mut png| png.write_image_data(&self.pixels))
            .expect("the picture can be written");
    }

    fn channels(&self) -> usize {
        if self.pixels.len() == self.width * self.height { 1 } else { 4 }
    }

    /// A pixel as RGBA, or `None` outside of the picture.
    fn pixel(&self, column: usize, row: usize) -> Option<[u8; 4]> {
        let index = (column < self.width && row < self.height).then_some(row * self.width + column)?;
        Some(match self.channels() {
            1 => [self.pixels[index], self.pixels[index], self.pixels[index], 255],
            _ => std::array::from_fn(|channel| self.pixels[index * 4 + channel]),
        })
    }
}

/// Compares `actual` with the reference `name` (a path below `tests/golden/`, without `.png`), or writes the reference
/// if `KILN_BLESS=1`.
pub(crate) fn check(name: &str, actual: &Picture) {
    let bless = std::env::var_os("KILN_BLESS").is_some_and(|value| value == "1");
    if let Err(message) = check_in(Path::new(FOLDER), Path::new(DIFFS), name, actual, bless) {
        panic!("{message}");
    }
}

/// Compares `actual` with `expected`, and writes a mismatch under `name`.
pub(crate) fn assert_same(name: &str, expected: &Picture, actual: &Picture) {
    if let Err(message) = compare(Path::new(DIFFS), name, expected, actual) {
        panic!("{message}");
    }
}

fn check_in(folder: &Path, diffs: &Path, name: &str, actual: &Picture, bless: bool) -> Result<(), String> {
    let reference = folder.join(format!("{name}.png"));
    if bless {
        actual.write(&reference);
        return Ok(());
    }
    compare(diffs, name, &Picture::read(&reference)?, actual)
}

fn compare(diffs: &Path, name: &str, expected: &Picture, actual: &Picture) -> Result<(), String> {
    if expected == actual {
        return Ok(());
    }
    let path: PathBuf = diffs.join(format!("{name}.png"));
    let (panels, differing, first) = panels(expected, actual);
    panels.write(&path);
    let sizes = format!("{}x{} expected, {}x{} actual", expected.width, expected.height, actual.width, actual.height);
    Err(format!("{name}: {differing} pixels differ, the first at {first:?} ({sizes}); see {}", path.display()))
}

/// A picture of expected | actual | difference, the number of differing pixels, and the first of them. The difference
/// is black where the pixels are equal, red where only one picture has a pixel, and else brighter than black by the
/// largest difference of a channel.
fn panels(expected: &Picture, actual: &Picture) -> (Picture, usize, Option<(usize, usize)>) {
    const GAP: usize = 4;
    let (width, height) = (expected.width.max(actual.width), expected.height.max(actual.height));
    let total = 3 * width + 2 * GAP;
    let mut pixels = vec![[128, 128, 128, 255]; total * height];
    let (mut differing, mut first) = (0, None);
    for row in 0..height {
        for column in 0..width {
            let pair = (expected.pixel(column, row), actual.pixel(column, row));
            let difference = match pair {
                (Some(a), Some(b)) if a == b => [0, 0, 0, 255],
                (Some(a), Some(b)) => {
                    let largest = a.iter().zip(b).map(|(a, b)| a.abs_diff(b)).max().unwrap_or(0);
                    let bright = largest.saturating_mul(4).max(96);
                    [bright, bright, bright, 255]
                }
                _ => [255, 0, 0, 255],
            };
            if pair.0 != pair.1 {
                differing += 1;
                first = first.or(Some((column, row)));
            }
            let at = row * total + column;
            pixels[at] = pair.0.unwrap_or([0; 4]);
            pixels[at + width + GAP] = pair.1.unwrap_or([0; 4]);
            pixels[at + 2 * (width + GAP)] = difference;
        }
    }
    (Picture::rgba(total, height, pixels), differing, first)
}

#[test]
fn a_missing_reference_fails() {
    let folder = tempfile::tempdir().unwrap();
    let picture = Picture::gray(2, 1, &[1, 2]);
    let message = check_in(folder.path(), folder.path(), "absent", &picture, false).unwrap_err();
    assert!(message.starts_with("no reference"), "{message}");
}

#[test]
fn a_blessed_reference_matches_and_a_difference_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let diffs = folder.path().join("diffs");
    let check =
        |pixels: [u8; 2], bless| check_in(folder.path(), &diffs, "some/case", &Picture::gray(2, 1, &pixels), bless);
    assert_eq!(check([1, 2], true), Ok(()));
    assert_eq!(check([1, 2], false), Ok(()));
    let message = check([1, 5], false).unwrap_err();
    assert!(message.contains("1 pixels differ, the first at Some((1, 0))"), "{message}");
    let written = Picture::read(&diffs.join("some/case.png")).unwrap();
    assert_eq!((written.width, written.height), (3 * 2 + 8, 1));
    assert_eq!(written.pixel(12, 0), Some([0, 0, 0, 255]));
    assert_eq!(written.pixel(13, 0), Some([96, 96, 96, 255]));
}

#[test]
fn gray_and_rgba_pictures_are_distinguished() {
    let gray = Picture::gray(1, 1, &[7]);
    assert_ne!(gray, Picture::rgba(1, 1, [[7, 7, 7, 255]]));
    check("harness/gray", &gray);
    check("harness/rgba", &Picture::rgba(2, 1, [[9, 8, 7, 255], [1, 2, 3, 0]]));
}
