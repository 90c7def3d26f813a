//! What a scan found.

use super::Query;
use crate::error::{Error, Result};

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
    /// The first rejected rows, at most [`ScanContext::max_rejections`](super::ScanContext), in order.
    pub rejections: Vec<Rejection>,
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
    }
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
