//! The operations of a simulation.

use std::collections::BTreeMap;

use kiln_core::error::Error;
use kiln_core::source::{CoordinateSpace, MemorySource, Query};

use super::points::{self, Columns, Contents, PARTITIONS, Request};
use crate::{AppendOutcome, ClockCheck, Description, ExistingPoints, Partition, Progress, Store, StoredLayer};

/// One operation of a round.
#[derive(Clone, Debug)]
pub(super) enum Operation {
    Append(Request, Option<crate::Request>),
    Compact,
    CompactSome,
    Title(u32),
    Rooms(Option<u32>),
    Plan(Option<u32>),
    Read,
    Verify,
    Sweep,
    /// Operations that affect the points of others, of which there is one in a round.
    Expire(i64),
    /// A removal of points that are older than so many days.
    Age(u64),
    Replace(Request),
    /// An import of a run of a partition.
    ImportPartition(Request),
    RemovePartition(usize),
    Remove,
    Create(Option<Request>),
}

/// The outcome of an operation.
#[derive(Debug)]
#[allow(dead_code, reason = "the log prints the errors")]
pub(super) enum Outcome {
    Done,
    Duplicate,
    Missing,
    Ended,
    Failed(String),
    Read(Contents),
    /// Points before a time were removed, or some of them.
    Aged {
        before_us: i64,
        is_done: bool,
    },
    Wrong(String),
}

/// The text of a title or file of a number.
pub(super) fn content(kind: &str, number: u32) -> String {
    let fill = if kind == "title" { 0 } else { number as usize % 7 * 300 };
    format!("{kind} {number} {}", "x".repeat(fill))
}

/// Performs an operation in a process.
pub(super) fn perform(store: &Store, name: &str, operation: Operation, sent: &BTreeMap<u32, Request>) -> Outcome {
    match attempt(store, name, operation, sent) {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

fn attempt(store: &Store, name: &str, operation: Operation, sent: &BTreeMap<u32, Request>) -> Result<Outcome, Error> {
    let progress = Progress::default();
    let done = |is_done: Option<bool>| if is_done.is_some() { Outcome::Done } else { Outcome::Missing };
    match operation {
        Operation::Sweep => {
            store.sweep();
            return Ok(Outcome::Done);
        }
        Operation::Rooms(Some(number)) => return store.set_rooms(name, &content("rooms", number)).map(done),
        Operation::Rooms(None) => return store.remove_rooms(name).map(Some).map(done),
        Operation::Plan(Some(number)) => {
            let text = content("plan", number);
            let (head, rest) = text.as_bytes().split_at(4);
            return store.set_floor_plan(name, &[head, rest]).map(done);
        }
        Operation::Plan(None) => return store.remove_floor_plan(name).map(Some).map(done),
        Operation::Remove => return store.remove(name).map(Some).map(done),
        Operation::Create(None) => return store.create(name, Description::default()).map(|_| Outcome::Done),
        Operation::Create(Some(request)) => {
            let columns = Columns::of(request);
            let source = MemorySource(columns.points());
            let fill = |layer: &StoredLayer| {
                layer.import(&source, &Query::default(), ExistingPoints::Keep, None, 1, &progress).map(drop)
            };
            let created = store.create_with(name, CoordinateSpace::Globe, Description::default(), fill);
            return created.map(|()| Outcome::Done);
        }
        _ => {}
    }
    let Some(layer) = store.layer(name)? else { return Ok(Outcome::Missing) };
    match operation {
        Operation::Append(request, key) => match layer.append(Columns::of(request).batch(), key)? {
            AppendOutcome::Appended => return Ok(Outcome::Done),
            AppendOutcome::Duplicate(_) => return Ok(Outcome::Duplicate),
        },
        Operation::Compact => layer.compact(1, &progress)?,
        Operation::CompactSome => drop(layer.compact_some(0..=u64::MAX, 1, &progress)?),
        Operation::Title(number) => {
            layer.set_description(Description { title: Some(content("title", number)), ..Description::default() })?;
        }
        Operation::Expire(before_us) => drop(layer.expire(before_us, 1, &progress)?),
        Operation::Age(days) => {
            if let ClockCheck::Plausible(now_s) = store.check_clock(&layer.snapshot()) {
                let before_us = (now_s as i64 - days as i64 * 86_400) * 1_000_000;
                let is_done = layer.expire(before_us, 1, &progress).is_ok();
                return Ok(Outcome::Aged { before_us, is_done });
            }
        }
        Operation::Replace(request) => {
            let columns = Columns::of(request);
            let source = MemorySource(columns.points());
            layer.import(&source, &Query::default(), ExistingPoints::Replace, None, 1, &progress)?;
        }
        Operation::ImportPartition(request) => {
            let columns = Columns::of(request);
            let source = MemorySource(columns.points());
            let prepared = layer.prepare_import(&source, &Query::default(), 1, &progress)?;
            let name = PARTITIONS[request.partition.unwrap_or_default()];
            let (_, is_new) = layer.commit_partition(prepared, Partition::new(name, Some(request.run()))?, None)?;
            return Ok(if is_new { Outcome::Done } else { Outcome::Duplicate });
        }
        Operation::RemovePartition(partition) => {
            layer.remove_partitions(|name| name == PARTITIONS[partition])?;
        }
        Operation::Verify => drop(layer.verify()),
        _ => {
            return Ok(match points::read(&layer.snapshot(), sent) {
                Ok(contents) => Outcome::Read(contents),
                Err(error) => Outcome::Wrong(error),
            });
        }
    }
    Ok(Outcome::Done)
}
