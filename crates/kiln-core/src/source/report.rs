//! Reports of scans.

use super::{Query, Role};
use crate::error::{Error, Result};
use crate::message;
use crate::parameter::Message;

/// The report of a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// The number of rows read, including rejected and filtered ones.
    pub read: u64,
    /// The number of rows that do not match the filter.
    pub filtered: u64,
    /// The number of invalid rows.
    pub rejected: u64,
    /// The number of points of inputs without a weight column, although weights are selected: their weight is 1.
    pub unweighted: u64,
    /// The weight column of the first input that has one.
    pub weight: Option<String>,
    /// The number of points with a longitude beyond ±180°, which is wrapped by 360°.
    pub wrapped: u64,
    /// The first rejected rows, at most [`ScanContext::max_rejections`](super::ScanContext), in order.
    pub rejections: Vec<Rejection>,
    /// Invalid values that were ignored without rejecting their rows, one entry per input and role.
    pub ignored: Vec<IgnoredValues>,
    /// Assumptions about how inputs are read, in the order of the inputs.
    pub notices: Vec<Notice>,
}

impl ScanReport {
    /// The number of valid rows that match the filter.
    pub fn valid(&self) -> u64 {
        self.read - self.filtered - self.rejected
    }

    /// Checks that `inputs` have valid rows, whether or not they match the filter.
    ///
    /// # Errors
    /// [`Error::Input`] with the first invalid row.
    pub fn require_points(&self, inputs: &[String]) -> Result<()> {
        if self.read == 0 {
            return Err(Error::input(inputs.join(", "), "the input has no rows"));
        }
        if self.rejected < self.read {
            return Ok(());
        }
        let first = self.rejections.first().map(|rejection| {
            // A single input is already named by the error.
            let file = if inputs.len() > 1 { format!("{} ", rejection.input) } else { String::new() };
            format!("; {file}row {}: {}", rejection.row, rejection.reason)
        });
        let first = first.unwrap_or_default();
        Err(Error::input(inputs.join(", "), format!("none of the {} rows has a valid point{first}", self.read)))
    }

    /// Appends the report of the next part of `input`, whose rows are numbered from 1.
    pub fn append(&mut self, mut next: Self, input: &str, query: &Query<'_>) {
        for rejection in &mut next.rejections {
            input.clone_into(&mut rejection.input);
            rejection.row += self.read;
        }
        for ignored in &mut next.ignored {
            input.clone_into(&mut ignored.input);
            ignored.row += self.read;
        }
        self.join(next, query);
    }

    /// Appends the report of another input. Its rejections keep their input and row numbers.
    pub fn join(&mut self, next: Self, query: &Query<'_>) {
        let remaining = query.scan.max_rejections.saturating_sub(self.rejections.len());
        self.rejections.extend(next.rejections.into_iter().take(remaining));
        self.read += next.read;
        self.filtered += next.filtered;
        self.rejected += next.rejected;
        self.unweighted += next.unweighted;
        self.wrapped += next.wrapped;
        self.weight = self.weight.take().or(next.weight);
        for ignored in next.ignored {
            let same = |known: &&mut IgnoredValues| known.input == ignored.input && known.role == ignored.role;
            match self.ignored.iter_mut().find(same) {
                Some(known) => known.values += ignored.values,
                None => self.ignored.push(ignored),
            }
        }
        self.notices.extend(next.notices);
    }

    /// Messages for the user, one sentence each: the notices, the ignored values, and the number of wrapped longitudes.
    pub fn remarks(&self) -> Vec<Message> {
        let notices = self.notices.iter().map(|notice| message!(format!("{}: ", notice.input), notice.message.clone()));
        let ignored = self.ignored.iter().map(IgnoredValues::message);
        let wrapped = (self.wrapped > 0).then(|| {
            let (points, were) = if self.wrapped == 1 { ("point", "was") } else { ("points", "were") };
            format!("{} {points} with a longitude beyond ±180° {were} wrapped by 360°", self.wrapped).into()
        });
        notices.chain(ignored).chain(wrapped).collect()
    }
}

/// Invalid values of a column that was detected by its usual name. Their points are kept without the value; the weight
/// of a point without one is 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredValues {
    /// The input, as the user named it.
    pub input: String,
    /// The name of the column in the input.
    pub column: String,
    /// The role of the column.
    pub role: Role,
    /// The number of values.
    pub values: u64,
    /// The row of the first value, counted as in [`Rejection::row`].
    pub row: u64,
    /// Why the first value is invalid.
    pub reason: String,
}

impl IgnoredValues {
    /// A message with the number of values, the first one, and how to select or disable the column.
    fn message(&self) -> Message {
        let Self { input, column, role, values, row, reason } = self;
        let left_out = if *values == 1 { "1 value is".to_owned() } else { format!("{values} values are") };
        let effect = if *role == Role::Weight { " and those points weigh 1" } else { "" };
        let text = format!(
            "{input}: {left_out} left out of the {} column `{column}`{effect} (row {row}: {reason}); ",
            role.word()
        );
        message!(text, "name another column or `none` with ", role.parameter())
    }
}

/// An assumption about how an input is read, which a parameter can override: an assumed order of day and month, or an
/// assumed coordinate reference system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// The input, as the user named it.
    pub input: String,
    /// The assumption, and the parameter that overrides it.
    pub message: Message,
}

/// A rejected row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The input, as the user named it; empty for points in memory.
    pub input: String,
    /// The number of the row or feature, counted from 1 (a CSV header is not counted).
    pub row: u64,
    /// Why the row is invalid.
    pub reason: String,
}
