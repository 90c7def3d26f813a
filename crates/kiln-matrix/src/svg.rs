//! Drawings as SVG.

use std::fmt::Write as _;

use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use kiln_core::xml::escape;
use kiln_formats::encode::paint::{Anchor, Rect};

use crate::scene::{DOT_BORDER, Fill, HATCH, Item, Scene, Text};
use crate::stop::Stop;
use crate::write::MAX_TEXT_BYTES;

/// The number of rectangles of the color bar. A gradient would need an id, which is not unique if a page has two drawings.
const BAR_STEPS: u32 = 128;

/// Writes a scene as an SVG document.
///
/// # Errors
/// [`Error::Invalid`] for `format` if it exceeds 64 MiB; [`Error::Cancelled`] once `stop` is set.
pub(crate) fn write(scene: &Scene, stop: Stop<'_>) -> Result<String> {
    write_up_to(scene, stop, MAX_TEXT_BYTES)
}

fn write_up_to(scene: &Scene, stop: Stop<'_>, max_bytes: u64) -> Result<String> {
    let (width, height) = (scene.width, scene.height);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\" \
         role=\"img\" aria-label=\"{}\" font-family=\"'DejaVu Sans', Verdana, sans-serif\">\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n",
        escape(&scene.description)
    );
    if scene.items.iter().any(|item| matches!(item, Item::Cell { fill: Fill::Hatch, .. })) {
        let (background, line, distance, width) = HATCH;
        // All drawings of a page may share the pattern, since it is always the same.
        let _ = writeln!(
            svg,
            "<defs><pattern id=\"kiln-missing\" width=\"{distance}\" height=\"{distance}\" \
             patternUnits=\"userSpaceOnUse\"><rect width=\"{distance}\" height=\"{distance}\" fill=\"{}\"/><path \
             d=\"M-1 1L1 -1M0 {distance}L{distance} 0M{} {}L{} {}\" stroke=\"{}\" stroke-width=\"{width}\"/></pattern></defs>",
            hex(background),
            distance - 1.0,
            distance + 1.0,
            distance + 1.0,
            distance - 1.0,
            hex(line)
        );
    }
    for item in &scene.items {
        stop.check()?;
        write_item(&mut svg, scene, item);
        if svg.len() as u64 > max_bytes {
            let max = max_bytes >> 20;
            let message = format!(
                "an svg of {} elements exceeds the limit of {max} MiB; use png, or json, which has each label once",
                scene.items.len()
            );
            return Err(Error::invalid(Parameter::FORMAT, message));
        }
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn write_item(svg: &mut String, scene: &Scene, item: &Item) {
    // Writing to a string does not fail.
    let _ = match item {
        Item::Cell { rect, fill, tooltip } => {
            let fill = match fill {
                Fill::Color(color) => hex(*color),
                Fill::Hatch => "url(#kiln-missing)".to_owned(),
            };
            write_rect(svg, *rect, &fill, Some(tooltip));
            Ok(())
        }
        Item::Dot { x, y, radius, fill, border, tooltip } => writeln!(
            svg,
            "<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\" stroke=\"{}\" stroke-width=\"{DOT_BORDER}\">{}</circle>",
            number(*x),
            number(*y),
            number((radius - DOT_BORDER / 2.0).max(0.0)),
            hex(*fill),
            hex(*border),
            title(tooltip)
        ),
        Item::Line { from, to, color } => writeln!(
            svg,
            "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" stroke=\"{}\" shape-rendering=\"crispEdges\"/>",
            number(from.0),
            number(from.1),
            number(to.0),
            number(to.1),
            hex(*color)
        ),
        Item::Text(text) => {
            write_text(svg, text);
            Ok(())
        }
        Item::Bar { rect } => {
            if let Some(scale) = &scene.scale {
                for step in 0..BAR_STEPS {
                    let edge = |start: f32, length: f32, step: u32| start + length * step as f32 / BAR_STEPS as f32;
                    let position = (f64::from(step) + 0.5) / f64::from(BAR_STEPS);
                    let (part, position) = if rect.width > rect.height {
                        let [left, right] = [step, step + 1].map(|step| edge(rect.x, rect.width, step));
                        (Rect { x: left, width: right - left, ..*rect }, position)
                    } else {
                        let [top, bottom] = [step, step + 1].map(|step| edge(rect.y, rect.height, step));
                        (Rect { y: top, height: bottom - top, ..*rect }, 1.0 - position)
                    };
                    write_rect(svg, part, &hex(scale.at(position)), None);
                }
            }
            Ok(())
        }
    };
}

/// Edges are aligned to whole pixels, so that no background shows between neighbors.
fn write_rect(svg: &mut String, rect: Rect, fill: &str, tooltip: Option<&String>) {
    let _ = write!(
        svg,
        "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{fill}\" shape-rendering=\"crispEdges\"",
        number(rect.x),
        number(rect.y),
        number(rect.width),
        number(rect.height)
    );
    let _ = match tooltip {
        Some(tooltip) if !tooltip.is_empty() => writeln!(svg, ">{}</rect>", title(tooltip)),
        _ => writeln!(svg, "/>"),
    };
}

fn write_text(svg: &mut String, text: &Text) {
    let anchor = match text.anchor {
        Anchor::Start => "",
        Anchor::Middle => " text-anchor=\"middle\"",
        Anchor::End => " text-anchor=\"end\"",
    };
    let (x, y) = (number(text.x), number(text.y));
    let rotation = if text.upward { format!(" transform=\"rotate(-90 {x} {y})\"") } else { String::new() };
    // The isolation keeps the anchor and the ellipsis of right-to-left texts where they are.
    let direction = if text.content.is_ascii() { "" } else { " direction=\"ltr\" unicode-bidi=\"isolate\"" };
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" font-size=\"{}\" fill=\"{}\"{anchor}{rotation}{direction}>{}</text>",
        number(text.style.size),
        hex(text.style.color),
        escape(&text.content)
    );
}

fn title(tooltip: &str) -> String {
    if tooltip.is_empty() { String::new() } else { format!("<title>{}</title>", escape(tooltip)) }
}

fn hex([red, green, blue, _]: [u8; 4]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// A coordinate with up to two decimals.
fn number(value: f32) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::Reader;
    use quick_xml::events::Event;

    use super::*;
    use crate::label::clean_label;
    use crate::layout::layout;
    use crate::{Chart, ChartData, Matrix};

    /// The names of the elements of a document, and the texts of those with the name `wanted`.
    fn elements(svg: &str, wanted: &str) -> (Vec<String>, Vec<String>) {
        let mut reader = Reader::from_str(svg);
        let (mut names, mut texts, mut path): (Vec<String>, Vec<String>, Vec<String>) = Default::default();
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => {
                    path.push(start.name().as_ref().to_owned());
                    names.extend(path.last().cloned());
                    texts.extend((path.last().unwrap() == wanted).then(String::new));
                }
                Event::Empty(start) => names.push(start.name().as_ref().to_owned()),
                Event::End(_) => drop(path.pop()),
                Event::Text(text) if path.last().is_some_and(|name| name == wanted) => {
                    texts.last_mut().unwrap().push_str(&text);
                }
                Event::GeneralRef(entity) if path.last().is_some_and(|name| name == wanted) => {
                    let character = match &*entity {
                        "lt" => '<',
                        "gt" => '>',
                        "amp" => '&',
                        "quot" => '"',
                        "#39" => '\'',
                        other => unreachable!("{other}"),
                    };
                    texts.last_mut().unwrap().push(character);
                }
                Event::Eof => return (names, texts),
                _ => {}
            }
        }
    }

    fn chart(columns: Vec<String>, rows: Vec<String>) -> Chart {
        let values = (0..columns.len() * rows.len()).map(|index| (index % 3 > 0).then_some(index as f64)).collect();
        Chart::new(ChartData::Cells(Matrix::new(columns, rows, values).unwrap()))
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!([number(3.0), number(2.456), number(0.5)], ["3", "2.46", "0.5"]);
    }

    #[test]
    fn a_document_has_a_description_a_tooltip_per_cell_and_no_scripts() {
        let html = "<script>alert(1)</script>";
        let svg = chart(vec![html.into(), "b".into()], vec!["r".into(), "שלום".into()]).with_title(html).svg().unwrap();
        assert!(svg.contains("role=\"img\" aria-label=\"&lt;script&gt;alert(1)&lt;/script&gt;. Heat map of 2 columns"));
        let (names, tooltips) = elements(&svg, "title");
        assert_eq!(
            tooltips,
            [format!("{html}, r: no value"), "b, r: 1".into(), format!("{html}, שלום: 2"), "b, שלום: no value".into()]
        );
        let allowed = ["svg", "rect", "text", "title", "line", "circle", "defs", "pattern", "path"];
        assert!(names.iter().all(|name| allowed.contains(&name.as_str())), "{names:?}");
        assert!(elements(&svg, "text").1.contains(&"שלום".to_owned()), "the text stays what it is");
        assert!(svg.contains(" direction=\"ltr\" unicode-bidi=\"isolate\">שלום<"));
    }

    #[test]
    fn tooltips_are_omitted_from_large_documents_and_their_size_is_limited() {
        let labels = |count: usize| vec!["label".to_owned(); count];
        let small = chart(labels(100), labels(200)).svg().unwrap();
        let large = chart(labels(100), labels(201));
        assert!(small.contains("<title>") && !large.svg().unwrap().contains("<title>"));
        let scene = layout(&large, 1.0, true, Stop::NEVER).unwrap();
        let error = write_up_to(&scene, Stop::NEVER, 1 << 20).unwrap_err().to_string();
        assert!(error.starts_with("format: an svg of ") && error.contains("use png, or json"), "{error}");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_label_gives_a_well_formed_document_with_its_text(
            column in any::<String>(),
            row in prop_oneof![any::<String>(), "[<>&'\"\u{0}-\u{1f}\u{fffe}\u{ffff} a]{0,30}"],
        ) {
            let svg = chart(vec![column.clone(), "b".into()], vec![row.clone()]).svg().unwrap();
            let (_, tooltips) = elements(&svg, "title");
            let expected = format!("{}, {}: no value", clean_label(&column), clean_label(&row));
            prop_assert_eq!(&tooltips[0], &expected);
            let is_allowed = |c: char| c == '\n' || (c >= ' ' && c != '\u{fffe}' && c != '\u{ffff}');
            prop_assert!(svg.chars().all(is_allowed));
        }
    }
}
