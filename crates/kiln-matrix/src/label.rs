//! Texts of drawings: cleaned, measured and shortened.

use kiln_core::error::Result;
use kiln_formats::encode::paint::{Typeface, font, has_glyph, text_width};
use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::stop::Stop;

/// The maximum number of characters of titles that a layout measures, and of labels and tooltips.
const MAX_CHARS: usize = 400;
const MAX_LABEL_CHARS: usize = 120;
/// The estimated width in em of a column of a terminal, for characters that the typeface lacks: a viewer of SVG draws them
/// with another typeface, in which ideographs and emoji are up to 1.3 em wide.
const EM_PER_COLUMN: f32 = 0.65;

/// `text` in one line without control characters and characters that XML forbids, of at most 400 characters; longer ones
/// end with an ellipsis.
pub(crate) fn clean(text: &str) -> String {
    clean_to(text, MAX_CHARS)
}

/// As [`clean`], of at most 120 characters: a drawing has no space for more.
pub(crate) fn clean_label(text: &str) -> String {
    clean_to(text, MAX_LABEL_CHARS)
}

fn clean_to(text: &str, max_chars: usize) -> String {
    let mut cleaned = String::new();
    let mut count = 0;
    for grapheme in text.trim().graphemes(true) {
        // A grapheme may have any number of combining marks.
        count += grapheme.chars().count();
        if count > max_chars {
            return cleaned + "…";
        }
        cleaned.extend(grapheme.chars().map(|character| match character {
            '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
            '\u{2028}' | '\u{2029}' => ' ',
            control if control.is_control() => ' ',
            other => other,
        }));
    }
    cleaned
}

/// Measures texts. Once its flag is set, all widths are 0, so that a layout ends early.
pub(crate) struct Measure<'s> {
    font: Typeface,
    pub(crate) stop: Stop<'s>,
}

impl<'s> Measure<'s> {
    pub(crate) fn new() -> Result<Self> {
        Self::with_stop(Stop::NEVER)
    }

    pub(crate) fn with_stop(stop: Stop<'s>) -> Result<Self> {
        Ok(Self { font: font()?, stop })
    }

    /// As [`clean_label`]; empty once the flag is set.
    pub(crate) fn clean_label(&self, label: &str) -> String {
        if self.stop.is_set() { String::new() } else { clean_label(label) }
    }

    /// The width of a text in the unit of `size`: that of the typeface, or an upper estimate of other typefaces.
    pub(crate) fn width(&self, size: f32, text: &str) -> f32 {
        let width_of = |character: char| {
            if has_glyph(&self.font, character) {
                text_width(&self.font, size, character.encode_utf8(&mut [0; 4]))
            } else {
                size * EM_PER_COLUMN * character.width().unwrap_or(0) as f32
            }
        };
        if self.stop.is_set() { 0.0 } else { text.chars().map(width_of).sum() }
    }

    /// `text`, truncated at a grapheme and with an ellipsis if it is wider than `width`; empty if not even one fits.
    pub(crate) fn shorten(&self, size: f32, text: &str, width: f32) -> String {
        if self.width(size, text) <= width {
            return text.to_owned();
        }
        let mut left = width - self.width(size, "…");
        let mut end = 0;
        for (start, grapheme) in text.grapheme_indices(true) {
            left -= self.width(size, grapheme);
            if left < 0.0 {
                break;
            }
            end = start + grapheme.len();
        }
        let kept = text[..end].trim_end();
        if kept.is_empty() { String::new() } else { format!("{kept}…") }
    }

    /// `text` in up to `lines` lines of at most `width`, broken at spaces; the last one is shortened.
    pub(crate) fn wrap(&self, size: f32, text: &str, width: f32, lines: usize) -> Vec<String> {
        let mut wrapped: Vec<String> = Vec::new();
        let mut rest = text.trim();
        while !rest.is_empty() {
            let mut end = rest.len();
            if wrapped.len() + 1 < lines && self.width(size, rest) > width {
                let breaks = rest.match_indices(' ').map(|(space, _)| space);
                end = breaks.take_while(|space| self.width(size, &rest[..*space]) <= width).last().unwrap_or(end);
            }
            let line = self.shorten(size, &rest[..end], width);
            if !line.is_empty() {
                wrapped.push(line);
            }
            rest = rest[end..].trim_start();
        }
        wrapped
    }

    /// `text` with a box in place of each grapheme that the typeface lacks. A base character that it has keeps its place
    /// without the combining marks.
    pub(crate) fn paintable(&self, text: &str) -> String {
        let mut paintable = String::new();
        for grapheme in text.graphemes(true) {
            if grapheme.chars().all(|character| has_glyph(&self.font, character)) {
                paintable.push_str(grapheme);
                continue;
            }
            match grapheme.chars().find(|character| character.width().unwrap_or(0) > 0) {
                Some(base) if has_glyph(&self.font, base) => paintable.push(base),
                Some(_) => paintable.push('\u{fffd}'),
                None => {}
            }
        }
        paintable
    }
}

/// Whether a text of a single line must not have a character: controls, line separators, marks of direction, and what XML
/// forbids.
pub(crate) fn is_forbidden(character: char) -> bool {
    character.is_control()
        || is_direction_mark(character)
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}')
}

/// The characters that change the direction of the text after them.
fn is_direction_mark(character: char) -> bool {
    matches!(character, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` for a terminal: cleaned, and without marks of direction, which would move the cells after it.
pub(crate) fn plain(text: &str) -> String {
    clean(text).replace(is_direction_mark, "")
}

/// The number of columns of a terminal that a text takes.
pub(crate) fn columns_of(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// `text` in `columns` columns of a terminal: truncated with an ellipsis, or followed by spaces.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let mut kept = text.to_owned();
    if columns_of(text) > columns {
        let (mut end, mut used) = (0, 1);
        for (start, grapheme) in text.grapheme_indices(true) {
            used += columns_of(grapheme);
            if used > columns {
                break;
            }
            end = start + grapheme.len();
        }
        kept.truncate(end);
        if columns > 0 {
            kept.push('…');
        }
    }
    let missing = columns.saturating_sub(columns_of(&kept));
    kept + &" ".repeat(missing)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cleaned_and_limited() {
        assert_eq!(clean(" a\u{0}\nb\u{ffff}\u{1b}[1m "), "a  b\u{fffd} [1m");
        assert_eq!(clean(&"é".repeat(10_000)).chars().count(), 401);
        assert_eq!(clean(&format!("x{}", "\u{301}".repeat(10_000))), "…");
        assert_eq!(plain("a\u{202e}b"), "ab");
    }

    #[test]
    fn a_text_is_shortened_at_graphemes() {
        let measure = Measure::new().unwrap();
        let family = "👨‍👩‍👧‍👦";
        let text = family.repeat(5);
        let short = measure.shorten(10.0, &text, measure.width(10.0, family) * 2.5);
        assert!(short.ends_with('…') && text.starts_with(short.trim_end_matches('…')));
        assert_eq!(short.trim_end_matches('…').len() % family.len(), 0);
        assert_eq!(measure.shorten(10.0, "abc", 5.0), "");
        assert_eq!(measure.paintable("a👨‍👩‍👧‍👦e\u{301}\u{200f}"), "a\u{fffd}e");
    }

    #[test]
    fn a_text_is_wrapped_at_spaces() {
        let measure = Measure::new().unwrap();
        let width = measure.width(10.0, "flights by hour");
        assert_eq!(measure.wrap(10.0, "flights by hour and weekday", width, 2), ["flights by hour", "and weekday"]);
        let lines = measure.wrap(10.0, &"flights by hour ".repeat(9), width, 2);
        assert!(lines.len() == 2 && lines[1].ends_with('…'), "{lines:?}");
        assert_eq!(measure.wrap(10.0, &"x".repeat(100), width, 2).len(), 1);
        assert!(measure.wrap(10.0, "", width, 2).is_empty());
    }

    #[test]
    fn a_text_fills_columns_of_a_terminal() {
        assert_eq!(pad("ab", 4), "ab  ");
        assert_eq!(pad("abcdef", 4), "abc…");
        assert_eq!(pad("日本語", 4), "日… ");
        assert_eq!(pad("x", 0), "");
    }
}
