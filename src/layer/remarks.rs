//! Remarks on inputs, as text for display.

use crate::parameter::Parameter;
use crate::source::ScanReport;

/// The [remarks](ScanReport::remarks) of a report, one line each; `spell` returns the spelling of a parameter. At most
/// 10, and a line with the number of further remarks.
pub fn remarks<S: AsRef<str>>(report: &ScanReport, spell: impl Fn(Parameter) -> S) -> Vec<String> {
    const MAX: usize = 10;
    let all = report.remarks();
    let mut texts: Vec<String> = all.iter().take(MAX).map(|remark| one_line(&remark.spelled(&spell))).collect();
    if all.len() > MAX {
        texts.push(format!("{} more remarks on the inputs are omitted", all.len() - MAX));
    }
    texts
}

/// The [`remarks`], preceded by a line on the rejected rows, if there are any. For output without a summary.
pub fn remarks_with_rejections<S: AsRef<str>>(report: &ScanReport, spell: impl Fn(Parameter) -> S) -> Vec<String> {
    const MAX: usize = 3;
    let mut texts = remarks(report, spell);
    if report.rejected > 0 {
        let first = report.rejections.iter().take(MAX);
        let first = first.map(|rejection| format!("{} row {}: {}", rejection.input, rejection.row, rejection.reason));
        let first = first.collect::<Vec<_>>().join("; ");
        texts.insert(0, one_line(&format!("{} of {} rows are rejected ({first})", report.rejected, report.read)));
    }
    texts
}

/// Replaces control characters and truncates a text: column names and values come from the input.
fn one_line(text: &str) -> String {
    const MAX_CHARS: usize = 500;
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let start: String = text.chars().take(MAX_CHARS).map(visible).collect();
    if text.chars().nth(MAX_CHARS).is_some() { start + "…" } else { start }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{IgnoredValues, Role};

    fn report(inputs: usize, column: &str) -> ScanReport {
        let ignored = |input: usize| IgnoredValues {
            input: format!("{input}.csv"),
            column: column.to_owned(),
            role: Role::Category,
            values: 1,
            row: 7,
            reason: "it is not a text".to_owned(),
        };
        ScanReport { ignored: (0..inputs).map(ignored).collect(), ..ScanReport::default() }
    }

    #[test]
    fn a_remark_is_one_truncated_line_with_the_front_ends_spelling() {
        let [flag, key] = [
            remarks(&report(1, "a\nb"), Parameter::flag).concat(),
            remarks(&report(1, "a\nb"), |parameter| parameter.key().to_owned()).concat(),
        ];
        assert!(flag.starts_with("0.csv: ") && flag.contains("`a b`") && flag.ends_with("--category-column"), "{flag}");
        assert!(key.ends_with(" category"), "{key}");
        let long = remarks(&report(1, &"å".repeat(10_000)), Parameter::flag).concat();
        assert!(long.chars().count() == 501 && long.ends_with('…'), "{long}");
    }

    #[test]
    fn many_remarks_are_counted() {
        let texts = remarks(&report(25, "kind"), Parameter::flag);
        assert_eq!((texts.len(), texts[10].as_str()), (11, "15 more remarks on the inputs are omitted"));
        assert_eq!(remarks(&report(10, "kind"), Parameter::flag).len(), 10);
        assert!(remarks(&ScanReport::default(), Parameter::flag).is_empty());
    }
}
