//! The classic text format of Prometheus, version 0.0.4.

/// Converts metrics from the `OpenMetrics` text format.
///
/// The classic format names a counter like its samples, with the suffix `_total`; it has no units, no end marker, and
/// neither infos nor exemplars, of which Kiln has none.
pub(crate) fn classic_format(open_metrics: &str) -> String {
    let mut counters: Vec<&str> = Vec::new();
    for line in open_metrics.lines() {
        counters.extend(line.strip_prefix("# TYPE ").and_then(|rest| rest.strip_suffix(" counter")));
    }
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let comment = line.strip_prefix("# ").and_then(|rest| rest.split_once(' '));
        match comment {
            Some((keyword @ ("HELP" | "TYPE"), rest)) => {
                let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                let suffix = if counters.contains(&name) { "_total" } else { "" };
                let rest = if keyword == "TYPE" && rest == "unknown" { "untyped" } else { rest };
                text.push_str(&["# ", keyword, " ", name, suffix, " ", rest, "\n"].concat());
            }
            _ if line.starts_with('#') => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// Whether the header `Accept` chooses the `OpenMetrics` format: it is named, and not less preferred than plain text.
pub(crate) fn accepts_open_metrics<'a>(accept: impl Iterator<Item = &'a str>) -> bool {
    let (mut open_metrics, mut plain): (f32, f32) = (0.0, 0.0);
    for range in accept.flat_map(|list| list.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = quality.map_or(1.0, |quality| quality.trim().parse().unwrap_or(0.0));
        match media_type.as_str() {
            "application/openmetrics-text" => open_metrics = open_metrics.max(quality),
            "text/plain" => plain = plain.max(quality),
            _ => {}
        }
    }
    open_metrics > 0.0 && open_metrics >= plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_have_the_names_of_their_samples_and_units_are_dropped() {
        let open_metrics = "# HELP kiln_panics Requests that ended in a panic.\n# TYPE kiln_panics counter\nkiln_panics_total 3\n\
            # HELP kiln_render_seconds Time to render.\n# TYPE kiln_render_seconds histogram\n# UNIT kiln_render_seconds seconds\n\
            kiln_render_seconds_sum 0.5\nkiln_render_seconds_bucket{le=\"+Inf\"} 1\n# TYPE kiln_odd unknown\nkiln_odd{a=\"# EOF\"} 1\n# EOF\n";
        let classic = "# HELP kiln_panics_total Requests that ended in a panic.\n# TYPE kiln_panics_total counter\nkiln_panics_total 3\n\
            # HELP kiln_render_seconds Time to render.\n# TYPE kiln_render_seconds histogram\n\
            kiln_render_seconds_sum 0.5\nkiln_render_seconds_bucket{le=\"+Inf\"} 1\n# TYPE kiln_odd untyped\nkiln_odd{a=\"# EOF\"} 1\n";
        assert_eq!(classic_format(open_metrics), classic);
    }

    #[test]
    fn open_metrics_is_chosen_by_name_only() {
        let chosen = |accept: &str| accepts_open_metrics(std::iter::once(accept));
        let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,\
            text/plain;version=0.0.4;q=0.3,*/*;q=0.2";
        for accept in [prometheus, "application/openmetrics-text", "Application/OpenMetrics-Text; version=1.0.0"] {
            assert!(chosen(accept), "{accept}");
        }
        let plain = "text/plain;version=0.0.4;q=0.9, application/openmetrics-text;q=0.5";
        for accept in ["", "*/*", "text/plain", "application/openmetrics-text;q=0", "application/json", plain] {
            assert!(!chosen(accept), "{accept}");
        }
        assert!(!accepts_open_metrics(std::iter::empty()));
    }
}
