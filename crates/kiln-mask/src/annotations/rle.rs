//! COCO's run lengths: pixels that are not set and that are, in turn, down the columns.

use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;

use super::bitmap::Bitmap;
use super::density::{Density, Fault};
use super::json::{Bounded, parse};
use super::report::Extent;
use super::size::Placement;

/// The most runs of a label.
const MAX_RUNS: usize = 1 << 24;

#[derive(Deserialize)]
struct Fields<'b> {
    /// Height and width.
    size: [usize; 2],
    #[serde(borrow)]
    counts: &'b RawValue,
}

/// The lengths of runs that fill an image.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Runs(Vec<u32>);

impl Runs {
    /// The runs of an object with `size` and `counts`, for an image of `image` pixels (width and height).
    pub(super) fn parse(value: &RawValue, image: (usize, usize)) -> Result<Self, String> {
        let fields: Fields<'_> = parse(value)?;
        let [height, width] = fields.size;
        if (width, height) != image {
            return Err(format!("an RLE of {width} × {height} pixels in an image of {} × {}", image.0, image.1));
        }
        let runs = if fields.counts.get().starts_with('"') {
            let text: Cow<'_, str> = parse_text(fields.counts)?;
            unpack(text.as_bytes())?
        } else {
            parse::<Bounded<u32, MAX_RUNS>>(fields.counts)?.0
        };
        let pixels: u64 = runs.iter().map(|run| u64::from(*run)).sum();
        if pixels != width as u64 * height as u64 {
            return Err(format!("RLE counts of {pixels} pixels for {width} × {height}"));
        }
        Ok(Self(runs))
    }

    /// Draws the set pixels.
    pub(super) fn draw(&self, placement: &Placement, density: &mut Density) -> Result<Extent, Fault> {
        density.step(self.0.len())?;
        if placement.is_identity(density.size()) {
            self.set().for_each(|(from, to)| density.add_run(from, to));
            return Ok(Extent::Within);
        }
        let (width, height) = placement.image;
        density.step_bytes(width * height)?;
        let mut cells = vec![false; width * height];
        for (from, to) in self.set() {
            (from..to).for_each(|at| cells[at % height * width + at / height] = true);
        }
        Bitmap { width, height, cells }.draw([0.0, 0.0], placement, density)
    }

    /// The set runs, from the first pixel to after the last, counted down the columns.
    fn set(&self) -> impl Iterator<Item = (usize, usize)> {
        let mut at = 0;
        self.0.iter().enumerate().filter_map(move |(position, run)| {
            let from = at;
            at += *run as usize;
            (position % 2 == 1 && *run > 0).then_some((from, at))
        })
    }
}

fn parse_text(value: &RawValue) -> Result<Cow<'_, str>, String> {
    #[derive(Deserialize)]
    struct Text<'b>(#[serde(borrow)] Cow<'b, str>);
    parse::<Text<'_>>(value).map(|text| text.0)
}

/// Runs from the text of `pycocotools`: numbers of 5 bits per character from `0` on, of which the sixth bit continues the number
/// and the fifth of the last is its sign. From the fourth number on, each is the difference to the one before the last.
fn unpack(text: &[u8]) -> Result<Vec<u32>, String> {
    let mut runs: Vec<u32> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let (mut number, mut shift) = (0_i64, 0);
        loop {
            let Some(byte) = text.get(at) else {
                return Err("RLE counts end within a number".to_owned());
            };
            let digit = byte.wrapping_sub(b'0');
            if digit >= 64 || shift > 35 {
                let character = byte.escape_ascii();
                return Err(format!("RLE counts are invalid at character {at}, `{character}`; expected `0` to `o`"));
            }
            at += 1;
            number |= i64::from(digit & 0x1f) << shift;
            shift += 5;
            if digit & 0x20 == 0 {
                if digit & 0x10 != 0 {
                    number -= 1 << shift;
                }
                break;
            }
        }
        if runs.len() > 2 {
            number += i64::from(runs[runs.len() - 2]);
        }
        let run = u32::try_from(number).map_err(|_| format!("RLE counts have a run of {number} pixels"))?;
        if runs.len() == MAX_RUNS {
            return Err(format!("RLE counts exceed the limit of {MAX_RUNS} runs"));
        }
        runs.push(run);
    }
    Ok(runs)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn runs(json: &str, image: (usize, usize)) -> Result<Vec<u32>, String> {
        let value: Box<RawValue> = serde_json::from_str(json).unwrap();
        Runs::parse(&value, image).map(|runs| runs.0)
    }

    #[test]
    fn counts_are_numbers_or_packed() {
        // Both texts are by pycocotools 2.0.11.
        let expected = Ok(vec![11, 3, 2, 3, 2, 3, 11]);
        assert_eq!(runs(r#"{"size": [5, 7], "counts": ";320009"}"#, (7, 5)), expected);
        assert_eq!(runs(r#"{"size": [5, 7], "counts": [11, 3, 2, 3, 2, 3, 11]}"#, (7, 5)), expected);
        assert_eq!(runs(r#"{"counts": "01=1G2", "size": [4, 6]}"#, (6, 4)), Ok(vec![0, 1, 13, 2, 4, 4]));
    }

    #[test]
    fn broken_counts_are_rejected() {
        for (json, reason) in [
            (r#"{"size": [2, 3], "counts": [1, 2]}"#, "RLE counts of 3 pixels for 3 × 2"),
            (r#"{"size": [2, 3], "counts": [4294967295, 4294967295]}"#, "RLE counts of 8589934590 pixels for 3 × 2"),
            (r#"{"size": [3, 2], "counts": [6]}"#, "an RLE of 2 × 3 pixels in an image of 3 × 2"),
            (r#"{"size": [2, 3], "counts": "`"}"#, "RLE counts end within a number"),
            (r#"{"size": [2, 3], "counts": "6 "}"#, "RLE counts are invalid at character 1, ` `; expected `0` to `o`"),
            (r#"{"size": [2, 3], "counts": "ooooooooooo"}"#, "RLE counts are invalid at character 8"),
            (r#"{"size": [2, 3], "counts": "O"}"#, "RLE counts have a run of -1 pixels"),
            (r#"{"size": [2, 3], "counts": [-1]}"#, "invalid value: integer `-1`, expected u32"),
            (r#"{"size": [2, 3]}"#, "missing field `counts`"),
        ] {
            let error = runs(json, (3, 2)).unwrap_err();
            assert!(error.starts_with(reason), "{json}: {error}");
        }
    }
}
