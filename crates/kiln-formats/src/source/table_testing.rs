//! Helpers for the tests of tables.

use std::fmt::Write;
use std::ops::ControlFlow;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;

use super::input::read;
use super::table::{BatchSink, Request, RequestedColumn, Table, ValueType};
use super::testing::{Marked, marked, scan_marked};
use kiln_core::error::Result;
use kiln_core::source::ReadOptions;

/// The rows of a scan, in order: their values as strings, or the reason why they were rejected.
#[derive(Debug, Default, PartialEq)]
pub(super) struct CollectedRows {
    pub(super) rows: Vec<std::result::Result<Vec<String>, String>>,
    pub(super) bytes: u64,
    /// The number of rows after which the scan is stopped.
    limit: Option<usize>,
}

impl CollectedRows {
    fn flow(&self) -> ControlFlow<()> {
        if self.limit.is_some_and(|limit| self.rows.len() >= limit) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl BatchSink for CollectedRows {
    fn batch(&mut self, batch: &RecordBatch) -> ControlFlow<()> {
        let row = |row| Ok(batch.columns().iter().map(|column| text(column, row)).collect());
        self.rows.extend((0..batch.num_rows()).map(row));
        self.flow()
    }

    fn reject(&mut self, reason: &dyn Fn() -> String) -> ControlFlow<()> {
        self.rows.push(Err(reason()));
        self.flow()
    }

    fn skip(&mut self, _: u64) -> ControlFlow<()> {
        panic!("rows are skipped although no time range is requested");
    }

    fn advance(&mut self, bytes: u64) {
        self.bytes += bytes;
    }
}

/// A value as a string: `-` for null, bytes in hexadecimal.
fn text(column: &dyn Array, row: usize) -> String {
    match column.data_type() {
        _ if column.is_null(row) => "-".to_owned(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Binary => column.as_binary::<i32>().value(row).iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        }),
        other => panic!("unexpected type {other}"),
    }
}

/// The columns of a table, as `name: type`.
pub(super) fn columns(table: &dyn Table) -> Vec<String> {
    table.schema().fields().iter().map(|field| format!("{}: {}", field.name(), field.data_type())).collect()
}

/// Scans the columns `names` of `table`. A name with the prefix `#` is requested as a number.
pub(super) fn scan(table: &dyn Table, names: &[&str], workers: usize) -> Result<CollectedRows> {
    scan_some(table, names, workers, None)
}

/// Scans `table` like [`scan`] and stops after `limit` rows.
pub(super) fn scan_some(
    table: &dyn Table,
    names: &[&str],
    workers: usize,
    limit: Option<usize>,
) -> Result<CollectedRows> {
    let requested = |name: &&str| {
        let (name, value_type) =
            name.strip_prefix('#').map_or((*name, ValueType::Text), |name| (name, ValueType::Number));
        let index = table.schema().fields().iter().position(|field| field.name() == name);
        assert!(index.is_some() || table.is_open(), "missing column {name}");
        RequestedColumn { index, name: name.to_owned(), value_type }
    };
    let request = Request { columns: names.iter().map(requested).collect(), workers, time_range: None };
    let scan = table.scan(&request)?;
    let mut rows = CollectedRows { limit, ..CollectedRows::default() };
    for part in 0..scan.parts() {
        if scan.read_part(part, &mut rows)?.is_break() {
            return Ok(rows);
        }
    }
    assert!(rows.bytes <= scan.bytes(), "{} of {} bytes", rows.bytes, scan.bytes());
    Ok(rows)
}

/// The values of `rows`, each row as one string. Panics if a row was rejected.
pub(super) fn values(rows: &CollectedRows) -> Vec<String> {
    rows.rows.iter().map(|row| row.as_ref().unwrap().join(" ")).collect()
}

/// The points of a file called `name` with times in microseconds and categories, and the reasons of the rejected rows.
pub(super) fn points(content: &[u8], name: &str) -> (Vec<Marked>, Vec<String>) {
    let source = read(content, name, &ReadOptions::default()).unwrap();
    let (points, report) = scan_marked(&*source, &marked()).unwrap();
    (points, report.rejections.into_iter().map(|rejection| rejection.reason).collect())
}

/// Passes damaged copies of `original` to `read`, which returns whether a copy could be read. Asserts that some can be
/// read and some cannot.
pub(super) fn damage(original: &[u8], copies: u32, mut read: impl FnMut(&[u8]) -> bool) {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as usize % below.max(1)
    };
    let mut readable = 0;
    for _ in 0..copies {
        let mut copy = original.to_vec();
        for _ in 0..=random(4) {
            let start = random(copy.len());
            let end = (start + random(12)).min(copy.len());
            match random(6) {
                0 => copy[start] = random(256) as u8,
                1 => copy[start] ^= 1 << random(8),
                2 => copy[start..end].fill(0),
                3 => copy[start..end].fill(0xFF),
                4 => drop(copy.drain(start..end)),
                _ => {
                    let piece = copy[start..end].to_vec();
                    let target = random(copy.len());
                    copy.splice(target..target, piece);
                }
            }
        }
        if random(8) == 0 {
            copy.truncate(random(copy.len()));
        }
        if copy.is_empty() {
            copy.push(0);
        }
        readable += u32::from(read(&copy));
    }
    assert!(readable > 0 && readable < copies, "{readable} of {copies} copies can be read");
}
