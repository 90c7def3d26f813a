//! YOLO text: a label per line, in fractions of the width and the height of the image.
//!
//! | values after the class | label |
//! |---|---|
//! | 4: center x and y, width, height | box |
//! | 5: the same and a confidence | box; the confidence does not count |
//! | 6 or more, even: x and y of each vertex | polygon; of four vertices also an oriented box |
//! | 7 or more, odd: the same and a confidence | polygon |

use super::density::{Density, Fault};
use super::json::without_mark;
use super::report::{Extent, Reduction};
use super::scan::{Vertex, draw_polygons};
use super::size::Placement;
use super::{AnnotationFile, AnnotationOptions, MAX_VERTICES};
use crate::limit::Reason;

/// The most values of a line, with a confidence.
const MAX_VALUES: usize = 2 * MAX_VERTICES + 1;
/// How far from the image a fraction may be, before it is taken for pixels.
const RANGE: std::ops::RangeInclusive<f64> = -1.0..=2.0;

/// Draws the labels of one image.
pub(super) fn draw(
    file: &AnnotationFile<'_>,
    options: &AnnotationOptions,
    density: &mut Density,
    reduction: &mut Reduction<'_>,
) -> Result<(), Reason> {
    for name in &options.names {
        reduction.add_class(name)?;
    }
    // The image is the unit square.
    let (width, height) = density.size();
    let placement = Placement { image: (1, 1), scale: [width as f64, height as f64] };
    for (row, line) in without_mark(file.bytes).split(|byte| *byte == b'\n').enumerate() {
        let line = line.trim_ascii();
        if line.is_empty() {
            continue;
        }
        reduction.start_label()?;
        match draw_line(line, options, &placement, density, reduction)? {
            Ok(Some((class, extent))) => reduction.drawn(&class, extent),
            Ok(None) => {}
            Err(Fault::Label(reason)) => reduction.reject(&format!("{}, line {}", file.name, row + 1), &reason),
            Err(Fault::Limit(message)) => return Err(message),
        }
    }
    Ok(())
}

/// Draws a label; `None` if its class is not chosen. The outer error stops the whole file.
fn draw_line(
    line: &[u8],
    options: &AnnotationOptions,
    placement: &Placement,
    density: &mut Density,
    reduction: &mut Reduction<'_>,
) -> Result<Result<Option<(String, Extent)>, Fault>, Reason> {
    let mut words = words(line);
    let class = match class(words.next().unwrap_or_default(), options) {
        Ok(class) => class,
        Err(reason) => return Ok(Err(Fault::Label(reason))),
    };
    reduction.add_class(&class)?;
    if !reduction.is_chosen(&class) {
        return Ok(Ok(None));
    }
    let ring = match values(words).and_then(|values| ring(&values)) {
        Ok(ring) => ring,
        Err(reason) => return Ok(Err(Fault::Label(reason))),
    };
    Ok(draw_polygons(&[ring], placement, density).map(|extent| Some((class, extent))))
}

fn class(word: &[u8], options: &AnnotationOptions) -> Result<String, String> {
    let number: Option<usize> = std::str::from_utf8(word).ok().and_then(|word| word.parse().ok());
    let number = number.ok_or_else(|| format!("the class `{}` is no whole number", short(word)))?;
    if options.names.is_empty() {
        return Ok(number.to_string());
    }
    let name = options.names.get(number);
    name.cloned().ok_or_else(|| format!("class {number} is not among the {} names", options.names.len()))
}

fn values<'b>(words: impl Iterator<Item = &'b [u8]>) -> Result<Vec<f64>, String> {
    let mut values = Vec::new();
    for word in words {
        let value = number(word).ok_or_else(|| format!("`{}` is no number", short(word)))?;
        if values.len() == MAX_VALUES {
            return Err(format!("the values exceed the limit of {MAX_VALUES}"));
        }
        values.push(value);
    }
    Ok(values)
}

fn number(word: &[u8]) -> Option<f64> {
    fast_float2::parse::<f64, _>(word).ok().filter(|value| value.is_finite())
}

fn short(word: &[u8]) -> String {
    word[..word.len().min(24)].escape_ascii().to_string()
}

/// The vertices of a box or a polygon.
fn ring(values: &[f64]) -> Result<Vec<Vertex>, String> {
    let values = match values.len() {
        0..4 => {
            let count = values.len();
            return Err(format!(
                "{count} value{} after the class; expected 4 of a box, or x and y of 3 vertices or more",
                if count == 1 { "" } else { "s" }
            ));
        }
        4 | 5 => &values[..4],
        // The last of an odd number is a confidence.
        count => &values[..count / 2 * 2],
    };
    if let Some(beyond) = values.iter().find(|value| !RANGE.contains(value)) {
        return Err(format!("the value {beyond} is not from -1 to 2; expected fractions of the width and the height"));
    }
    if let [x, y, width, height] = *values {
        if width < 0.0 || height < 0.0 {
            return Err(format!("a box of {width} × {height}; expected 0 or more"));
        }
        let (left, right) = (x - width / 2.0, x + width / 2.0);
        let (top, bottom) = (y - height / 2.0, y + height / 2.0);
        return Ok(vec![[left, top], [right, top], [right, bottom], [left, bottom]]);
    }
    Ok(values.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect())
}

/// How many bytes of a file are read to detect its format.
const DETECTED: usize = 1 << 14;

/// The first lines that are not blank, with their number from 1.
fn first_lines(bytes: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut start = &bytes[..bytes.len().min(DETECTED)];
    if start.len() < bytes.len() {
        // A line that is cut does not count, and of a single long one the word that is cut does not.
        let is_end = |end: u8| move |byte: &u8| *byte == end;
        let end = start.iter().rposition(is_end(b'\n')).or_else(|| start.iter().rposition(is_end(b' ')));
        start = &start[..end.unwrap_or(0)];
    }
    let lines = without_mark(start).split(|byte| *byte == b'\n').enumerate();
    lines.map(|(row, line)| (row + 1, line.trim_ascii())).filter(|(_, line)| !line.is_empty())
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn is_label(line: &[u8]) -> bool {
    let mut words = words(line);
    let is_class = words.next().is_some_and(|word| word.iter().all(u8::is_ascii_digit));
    let values: Vec<Option<f64>> = words.map(number).collect();
    is_class && values.len() >= 4 && values.into_iter().all(|value| value.is_some_and(|value| RANGE.contains(&value)))
}

/// Whether the first lines are labels.
pub(super) fn is_likely(bytes: &[u8]) -> bool {
    let mut lines = first_lines(bytes).map(|(_, line)| line).peekable();
    lines.peek().is_some() && lines.all(is_label)
}

/// Whether one of the first lines is a label, and most of them are mostly numbers.
pub(super) fn is_plausible(bytes: &[u8]) -> bool {
    let (mut lines, mut numeric, mut labels) = (0_usize, 0_usize, 0_usize);
    for (_, line) in first_lines(bytes) {
        let (words, numbers) = words(line).fold((0_usize, 0_usize), |(words, numbers), word| {
            (words + 1, numbers + usize::from(number(word).is_some()))
        });
        lines += 1;
        numeric += usize::from(2 * numbers > words);
        labels += usize::from(is_label(line));
    }
    labels > 0 && 2 * numeric > lines
}

/// Whether the first lines have nothing but numbers, between spaces, commas, semicolons or tabs.
pub(super) fn has_only_numbers(bytes: &[u8]) -> bool {
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b",;".contains(byte);
    first_lines(bytes).all(|(_, line)| {
        line.split(is_end).filter(|word| !word.is_empty()).all(|word| fast_float2::parse::<f64, _>(word).is_ok())
    })
}

/// The number, from 1, and the text of the first line that is not a label.
pub(super) fn first_misfit(bytes: &[u8]) -> Option<(usize, String)> {
    first_lines(bytes).find(|(_, line)| !is_label(line)).map(|(row, line)| (row, short(line)))
}

/// Whether text that is read as an array looks like labels: each of the first lines has a class and 4, or 6 or more, numbers
/// from 0 to 1, of which some are fractions. A matrix of zeros and ones does not.
pub(crate) fn resembles_labels(bytes: &[u8]) -> bool {
    let is_fraction = |word: &[u8]| number(word).is_some_and(|value| value > 0.0 && value < 1.0);
    let is_within = |word: &[u8]| number(word).is_some_and(|value| (0.0..=1.0).contains(&value));
    let is_box_or_polygon = |line: &[u8]| {
        let count = words(line).count();
        is_label(line) && (count == 5 || count >= 7) && words(line).skip(1).all(is_within)
    };
    let mut lines = first_lines(bytes).map(|(_, line)| line);
    let has_fraction = first_lines(bytes).any(|(_, line)| words(line).skip(1).any(is_fraction));
    has_fraction && lines.all(is_box_or_polygon)
}
