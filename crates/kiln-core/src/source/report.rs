//! What a scan found.

use super::{Query, Role};
use crate::error::{Error, Result};
use crate::message;
use crate::parameter::Message;

/// What a scan met.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScanReport {
    /// Rows read, whatever became of them.
    pub read: u64,
    /// Rows that the time range, the categories or the polygon kept out.
    pub filtered: u64,
    /// Rows that hold no valid point.
    pub rejected: u64,
    /// Points of inputs without weights, although weights were wanted: each weighs 1.
    pub unweighted: u64,
    /// The column of the weights, of the first input that has one.
    pub weight: Option<String>,
    /// Points whose longitude lies beyond ±180° and was wrapped around by 360°.
    pub wrapped: u64,
    /// The first rejected rows, at most [`ScanContext::max_rejections`](super::ScanContext), in order.
    pub rejections: Vec<Rejection>,
    /// Values that were left out of points that stayed, one entry per input and role.
    pub ignored: Vec<IgnoredValues>,
    /// How an input was read where that is not evident, in the order of the inputs.
    pub notices: Vec<Notice>,
}

impl ScanReport {
    /// Rows that hold a valid point and passed the query.
    pub fn valid(&self) -> u64 {
        self.read - self.filtered - self.rejected
    }

    /// Makes sure that `inputs` held points at all. Rows that just do not pass the filters are enough.
    ///
    /// # Errors
    /// [`Error::Input`] with the first row at fault.
    pub fn require_points(&self, inputs: &[String]) -> Result<()> {
        if self.read == 0 {
            return Err(Error::input(inputs.join(", "), "there are no rows in it"));
        }
        if self.rejected < self.read {
            return Ok(());
        }
        let first = self.rejections.first().map(|rejection| {
            // One file is named already.
            let file = if inputs.len() > 1 { format!("{} ", rejection.input) } else { String::new() };
            format!("; {file}row {}: {}", rejection.row, rejection.reason)
        });
        let first = first.unwrap_or_default();
        Err(Error::input(inputs.join(", "), format!("none of the {} rows holds a valid point{first}", self.read)))
    }

    /// Puts the report of what follows behind this one: `next` counts its rows from 1, and belongs to `input`.
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

    /// Puts the report of another input behind this one: its rejections keep their input and row.
    pub fn join(&mut self, next: Self, query: &Query<'_>) {
        let room = query.scan.max_rejections.saturating_sub(self.rejections.len());
        self.rejections.extend(next.rejections.into_iter().take(room));
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

    /// What a user should know of the points that were read, one sentence each: how inputs were read, which values were left
    /// out, and how many longitudes were wrapped.
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

/// Values of a column found by its usual name that could not be read. The points stay without them: a point without a weight
/// weighs 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredValues {
    /// Which input, as the user named it.
    pub input: String,
    /// The column, as it is called in the input.
    pub column: String,
    /// What the column is to the points.
    pub role: Role,
    /// The number of values.
    pub values: u64,
    /// The row of the first one, counted as in [`Rejection::row`].
    pub row: u64,
    /// What is wrong with the first one.
    pub reason: String,
}

impl IgnoredValues {
    /// One sentence on the values: how many, the first one, and how to read or skip the column.
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

/// How an input was read, where that is not evident and may have to be set: an assumed order of day and month, a reference
/// system taken as WGS 84.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Which input, as the user named it.
    pub input: String,
    /// What was assumed, and which parameter sets it.
    pub message: Message,
}

/// Why a row holds no valid point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Which input, as the user named it; empty for points in memory.
    pub input: String,
    /// The row or feature, counted from 1 (a CSV header is not counted).
    pub row: u64,
    /// What is wrong with it.
    pub reason: String,
}
