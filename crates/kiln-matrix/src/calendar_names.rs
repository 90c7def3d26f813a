//! Labels that are names of days of the week or of months.

use kiln_core::calendar::TimePart;

/// The position in its week or year, from 0, of an English name, full or with three letters, in any case.
fn position(label: &str, full: &[&str], short: &[&str]) -> Option<usize> {
    let is_name = |name: &&str| name.eq_ignore_ascii_case(label.trim());
    full.iter().position(is_name).or_else(|| short.iter().position(is_name))
}

/// The positions of labels in the week, from Monday, or in the year; `None` unless all are names of days of the week, or
/// all are names of months.
pub(crate) fn calendar_positions<T: AsRef<str>>(labels: &[T]) -> Option<Vec<usize>> {
    let all = |full: &[&str], short: &[&str]| -> Option<Vec<usize>> {
        labels.iter().map(|label| position(label.as_ref(), full, short)).collect()
    };
    let positions = all(TimePart::Weekday.full_names(), &TimePart::WEEKDAYS)
        .or_else(|| all(TimePart::Month.full_names(), &TimePart::MONTHS));
    positions.filter(|positions| !positions.is_empty())
}

/// Whether all labels are names of days of the week, or all are names of months.
pub(crate) fn is_calendar<T: AsRef<str>>(labels: &[T]) -> bool {
    calendar_positions(labels).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_days_and_months_have_positions() {
        assert_eq!(calendar_positions(&["Sun", "monday", "TUE"]), Some(vec![6, 0, 1]));
        assert_eq!(calendar_positions(&["december", "May", "Jan"]), Some(vec![11, 4, 0]));
        for labels in [&["Mon", "May"][..], &["Mon", "x"], &["Tues"], &[]] {
            assert_eq!(calendar_positions(labels), None, "{labels:?}");
        }
    }
}
