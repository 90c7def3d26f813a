//! Retention: which points are too old, as text and as a question before they are lost.

use std::time::{SystemTime, UNIX_EPOCH};

use super::confirm;
use super::store::time_of;
use super::summary::{grouped, plural};
use crate::config::TimeSpan;
use crate::error::{Error, Result};
use crate::parameter::Parameter;
use crate::store::{ExistingPoints, Expiry, PreparedImport, StoredLayer};

/// The Unix time in microseconds before which points are older than `age`.
pub(super) fn before_us(age: TimeSpan) -> i64 {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    before_us_at(now_s, age)
}

fn before_us_at(now_s: u64, age: TimeSpan) -> i64 {
    let seconds = i128::from(now_s) - i128::from(age.as_secs());
    i64::try_from(seconds * 1_000_000).unwrap_or(i64::MIN + 1)
}

/// Describes old points: `3 of 5 points are older than 30d, before 2024-05-01T00:00:00Z; all times are 2023-…Z to
/// 2024-…Z`. Without an `age`, only the time is stated.
pub(super) fn describe(expiry: Expiry, age: Option<TimeSpan>, before_us: i64) -> String {
    let Expiry { points, expired, time_us } = expiry;
    let are = if expired == 1 { "is" } else { "are" };
    let (expired, points, before) = (grouped(expired), plural(points, "point"), time_of(before_us));
    let older = age.map_or_else(String::new, |age| format!("older than {age}, "));
    let count = format!("{expired} of {points} {are} {older}before {before}");
    match time_us {
        Some([first, last]) => format!("{count}; all times are {} to {}", time_of(first), time_of(last)),
        None => count,
    }
}

/// An import into a layer that has a retention, or gets one.
pub(super) struct RetainedImport<'a> {
    pub(super) layer: &'a StoredLayer,
    pub(super) prepared: &'a PreparedImport,
    pub(super) existing: ExistingPoints,
    /// The retention of the layer after the import.
    pub(super) keep_s: Option<u64>,
    /// Whether the command sets the retention.
    pub(super) is_keep_given: bool,
}

impl RetainedImport<'_> {
    /// Asks before an import after which the server would remove a large part of the points. Without a terminal, it
    /// requires `--yes`.
    pub(super) fn confirm(&self) -> Result<()> {
        let Some(keep) = self.keep_s.map(TimeSpan::from_secs) else { return Ok(()) };
        let before_us = before_us(keep);
        let mut expiry = self.prepared.expiry(before_us)?;
        // Points that were in the layer before are lost by a new retention only.
        let snapshot = self.layer.snapshot();
        let is_shorter = snapshot.description().keep_s.is_none_or(|before| before > keep.as_secs());
        if self.is_keep_given && is_shorter && self.existing == ExistingPoints::Keep {
            let all = expiry.and(snapshot.expiry(before_us));
            expiry = if all.is_large() { all } else { expiry };
        }
        if !expiry.is_large() {
            return Ok(());
        }
        let lost = describe(expiry, None, before_us);
        let origin = if self.is_keep_given { format!("--keep {keep}") } else { format!("its retention of {keep}") };
        if !confirm::is_interactive() {
            let detail = format!(
                "{lost}; with {origin}, the server would remove them from `{}`; nothing was imported; use a longer time, \
                 or --yes",
                self.layer.name()
            );
            return Err(Error::invalid(Parameter::KEEP, detail));
        }
        let question = format!("{lost}. With {origin}, the server removes them from {}. Import?", self.layer.name());
        if confirm::is_confirmed(&question)? {
            Ok(())
        } else {
            Err(Error::input(self.layer.name(), "nothing was imported"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_limit_saturates_for_any_age() {
        assert_eq!(before_us_at(100, TimeSpan::from_secs(40)), 60_000_000);
        assert_eq!(before_us_at(100, TimeSpan::from_secs(140)), -40_000_000);
        assert_eq!(before_us_at(100, TimeSpan::from_secs(u64::MAX)), i64::MIN + 1);
    }

    #[test]
    fn old_points_are_described_with_numbers_and_dates() {
        let expiry = Expiry { points: 1234, expired: 1, time_us: Some([0, 86_400_000_000]) };
        let expected = "1 of 1,234 points is before 1970-01-02T00:00:00Z; all times are 1970-01-01T00:00:00Z to 1970-01-02T00:00:00Z";
        assert_eq!(describe(expiry, None, 86_400_000_000), expected);
        let with_age = describe(expiry, Some(TimeSpan::from_secs(2_592_000)), 86_400_000_000);
        assert_eq!(with_age, expected.replace("is before", "is older than 30d, before"));
    }
}
