//! One-line summaries of commands.

use std::fmt::Write;
use std::time::Duration;

use indicatif::HumanBytes;

use crate::export::TileExportReport;
use crate::geo::Zooms;
use crate::layer::{Blend, Heatmap, Style};
use crate::source::{CoordinateSpace, ScanReport};
use crate::store::{ImportReport, Snapshot};

/// Summarizes a render.
pub(super) fn rendered(heat: &Heatmap, style: &Style, unit: &str, output: &str, elapsed: Duration) -> String {
    let report = &heat.report;
    let mut line = format!("read {}", plural(report.read, "row"));
    if report.filtered > 0 {
        append(&mut line, format_args!(", {} filtered out", grouped(report.filtered)));
    }
    append(&mut line, format_args!(", drew {}, {} outside", plural(heat.drawn, "point"), grouped(heat.outside)));
    append_report(&mut line, report);
    match &heat.values {
        Some(_) if heat.drawn == 0 => append(&mut line, format_args!("; nothing drawn")),
        Some(values) => {
            let policy = if style.vmin.is_some() && style.vmax.is_some() {
                "fixed".into()
            } else {
                style.normalization.to_string()
            };
            let (vmin, vmax) = (short(values.span.vmin), short(values.span.vmax));
            append(&mut line, format_args!("; span {vmin} to {vmax} {unit} ({policy}, {})", style.curve));
        }
        None => append(&mut line, format_args!("; classic dots, an absolute scale")),
    }
    debug_assert_eq!(heat.values.is_none(), style.blend == Blend::Classic);
    let (width, height) = (heat.canvas.width(), heat.canvas.height());
    append(&mut line, format_args!("; {width}x{height} of {}", heat.canvas.bounds()));
    let aspect = heat.canvas.aspect();
    if (aspect - 1.0).abs() > 0.02 {
        append(
            &mut line,
            format_args!(
                " (pixels are {} times as wide as high on the map; --size {width} makes them square)",
                short(aspect)
            ),
        );
    }
    append(&mut line, format_args!(" in {:.3} s: {output}", elapsed.as_secs_f64()));
    line
}

/// Summarizes an export.
pub(super) fn exported(
    exported: &TileExportReport,
    name: &str,
    zooms: Zooms,
    output: &str,
    elapsed: Duration,
) -> String {
    let TileExportReport { tiles, distinct, bytes, resumed } = *exported;
    let mut line = format!("exported {name}, zoom {zooms}: {}", plural(tiles, "tile"));
    if distinct < tiles {
        append(&mut line, format_args!(", {} distinct", grouped(distinct)));
    }
    append(&mut line, format_args!(", {}", HumanBytes(bytes)));
    if resumed > 0 {
        append(&mut line, format_args!("; {} resumed from an interrupted export", grouped(resumed)));
    }
    let seconds = elapsed.as_secs_f64();
    let rate = (tiles - resumed) as f64 / seconds.max(1e-3);
    append(&mut line, format_args!("; {}/s in {seconds:.3} s: {output}", grouped(rate as u64)));
    line
}

/// Summarizes an import; `snapshot` is that of the layer after it.
pub(super) fn imported(imported: &ImportReport, name: &str, snapshot: &Snapshot, elapsed: Duration) -> String {
    let layer = snapshot.summary();
    let report = &imported.report;
    let mut line = format!("read {}", plural(report.read, "row"));
    if report.filtered > 0 {
        append(&mut line, format_args!(", {} filtered out", grouped(report.filtered)));
    }
    if report.read == 0 {
        append(&mut line, format_args!(", nothing added to {name}"));
    } else {
        append(&mut line, format_args!(", added {} to {name}", plural(imported.points, "point")));
    }
    if imported.beyond_map > 0 {
        let limit = match snapshot.coordinate_space() {
            CoordinateSpace::Globe => "beyond 85.05°",
            CoordinateSpace::Plane => "outside the square of the layer",
        };
        append(&mut line, format_args!(", {} {limit} dropped", grouped(imported.beyond_map)));
    }
    append_report(&mut line, report);
    if report.read > 0 {
        let seconds = elapsed.as_secs_f64();
        let rate = grouped((imported.points as f64 / seconds.max(1e-3)) as u64);
        append(&mut line, format_args!("; in {seconds:.3} s, {rate} points/s"));
    }
    let (points, segments) = (plural(layer.points, "point"), plural(layer.segments as u64, "segment"));
    append(&mut line, format_args!("; the layer has {points} in {segments}, {}", HumanBytes(layer.bytes)));
    line
}

/// Appends the numbers of points without a weight and of rejected rows.
fn append_report(line: &mut String, report: &ScanReport) {
    if (1..report.valid()).contains(&report.unweighted) {
        append(line, format_args!(", {} without a weight (each weighs 1)", plural(report.unweighted, "point")));
    }
    if report.rejected > 0 {
        append(line, format_args!(", {} rejected ({})", grouped(report.rejected), reasons(report)));
    }
}

fn append(line: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = line.write_fmt(text);
}

fn reasons(report: &ScanReport) -> String {
    let first: Vec<String> = report
        .rejections
        .iter()
        .take(3)
        .map(|rejection| format!("{} row {}: {}", rejection.input, rejection.row, rejection.reason))
        .collect();
    let more = if report.rejected > first.len() as u64 { "; …" } else { "" };
    format!("{}{more}", first.join("; "))
}

pub(super) fn plural(count: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// Formats a count with thousands separators: 1,234,567.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Formats a value with four significant digits.
pub(super) fn short(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return format!("{value}");
    }
    let magnitude = value.abs().log10().floor() as i32;
    if (-4..7).contains(&magnitude) {
        let text = format!("{value:.*}", (3 - magnitude).max(0) as usize);
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        format!("{value:.3e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_grouped() {
        for (value, text) in [(0.0, "0"), (1.0, "1"), (0.012_345, "0.01235"), (123_456.7, "123457"), (-2.5, "-2.5")] {
            assert_eq!(short(value), text);
        }
        assert_eq!(short(1.5e-9), "1.500e-9");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(plural(1, "row"), "1 row");
    }
}
