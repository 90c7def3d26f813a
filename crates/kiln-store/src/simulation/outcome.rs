//! The effects of operations on the model.

use super::model::{Fate, Fates, Layer, PartitionImport};
use super::operation::{Operation, Outcome};
use super::points::Contents;
use super::run::{LAYERS, Run};

impl Run {
    /// Adds the requests of a round to the model, before they can be seen.
    pub(super) fn announce(&mut self, layer: usize, operations: &[(usize, Operation)]) {
        for (_, operation) in operations {
            match operation {
                Operation::Create(request) => {
                    let model = self.layers[layer].insert(Layer::new());
                    model.may_be_absent = true;
                    model.requests.extend(request.map(|request| (request.number, (request, Fates::from([Fate::ALL])))));
                }
                Operation::Append(request, _) | Operation::Replace(request) | Operation::ImportPartition(request) => {
                    if let Some(model) = &mut self.layers[layer] {
                        model.requests.entry(request.number).or_insert((*request, Fates::from([Fate::Absent])));
                    }
                }
                _ => {}
            }
        }
    }

    /// Applies the outcome of an operation to the model.
    pub(super) fn apply(
        &mut self,
        layer: usize,
        before: Option<&Layer>,
        operation: &Operation,
        operations: &[(usize, Operation)],
        outcome: Outcome,
    ) -> Result<(), String> {
        let is_done = matches!(outcome, Outcome::Done | Outcome::Duplicate);
        let exclusive = operations.iter().find_map(|(_, operation)| match operation {
            Operation::Expire(_)
            | Operation::Replace(_)
            | Operation::ImportPartition(_)
            | Operation::RemovePartition(_)
            | Operation::Remove => Some(operation.clone()),
            _ => None,
        });
        if let Outcome::Wrong(error) = outcome {
            return Err(error);
        }
        if let Operation::Expire(before_us) = operation {
            self.cuts.push(*before_us);
        }
        let Some(model) = &mut self.layers[layer] else { return Ok(()) };
        let is_change = !matches!(operation, Operation::Read | Operation::Verify | Operation::Sweep);
        model.is_unsure |= !is_done && is_change;
        match operation {
            Operation::Append(request, _) => {
                let Some((_, fates)) = model.requests.get_mut(&request.number) else { return Ok(()) };
                let is_new = before.is_none_or(|before| !before.requests.contains_key(&request.number));
                if matches!(outcome, Outcome::Duplicate) && is_new && *fates == Fates::from([Fate::Absent]) {
                    let sent = operations.iter().filter(
                        |(_, other)| matches!(other, Operation::Append(other, _) if other.number == request.number),
                    );
                    if sent.count() < 2 {
                        return Err(format!("request {} was never sent before, but is a duplicate", request.number));
                    }
                }
                if is_done {
                    *fates = Fates::from([Fate::ALL]);
                } else if !fates.contains(&Fate::ALL) {
                    fates.insert(Fate::ALL);
                }
                match exclusive {
                    Some(Operation::Expire(before_us)) => drop(fates.insert(Fate::Since(before_us))),
                    Some(Operation::Replace(_)) => drop(fates.insert(Fate::Absent)),
                    _ => {}
                }
            }
            Operation::Title(title) => change(&mut model.titles, Some(*title), is_done, operations, |operation| {
                matches!(operation, Operation::Title(_))
            }),
            Operation::Rooms(rooms) => change(&mut model.rooms, *rooms, is_done, operations, |operation| {
                matches!(operation, Operation::Rooms(_))
            }),
            Operation::Plan(plan) => change(&mut model.plans, *plan, is_done, operations, |operation| {
                matches!(operation, Operation::Plan(_))
            }),
            Operation::Expire(before_us) => model.expire(*before_us, is_done),
            Operation::Replace(request) => {
                let number = request.number;
                model.clear(is_done);
                let fates = if is_done { vec![Fate::ALL] } else { vec![Fate::ALL, Fate::Absent] };
                model.requests.insert(number, (*request, Fates::from_iter(fates)));
            }
            Operation::ImportPartition(request) => model.import(
                *request,
                match outcome {
                    Outcome::Done => PartitionImport::Replaced,
                    Outcome::Duplicate => PartitionImport::Same,
                    _ => PartitionImport::Failed,
                },
            )?,
            Operation::RemovePartition(partition) => model.empty(*partition, is_done),
            Operation::Remove if is_done => self.layers[layer] = None,
            Operation::Remove => model.may_be_absent = true,
            Operation::Create(_) => model.may_be_absent = !is_done,
            _ => {}
        }
        if let Outcome::Read(contents) = outcome {
            self.check_atomic(layer, before, &contents, exclusive.is_some())?;
        }
        Ok(())
    }

    /// Checks what a reader saw during a round: requests entirely or not at all, and none missing that nobody removed.
    fn check_atomic(
        &self,
        layer: usize,
        before: Option<&Layer>,
        contents: &Contents,
        is_removed: bool,
    ) -> Result<(), String> {
        for (number, points) in contents {
            let Some(request) = self.sent.get(number) else { return Err(format!("request {number} was never sent")) };
            let is_whole = self.cuts.iter().any(|cut| *points == request.since(*cut));
            if !is_whole {
                return Err(format!("a reader saw {points:?} of request {number}"));
            }
        }
        let settled = before.filter(|before| before.is_settled() && !is_removed).into_iter();
        for (number, (request, fates)) in settled.flat_map(|before| &before.requests) {
            if *fates == Fates::from([Fate::ALL]) && contents.get(number) != Some(&request.since(i64::MIN)) {
                return Err(format!("a reader of {} missed request {number}", LAYERS[layer]));
            }
        }
        Ok(())
    }
}

/// Checks that an operation succeeds on a disk without faults. Merges and removals of old points are cancelled by other
/// changes.
pub(super) fn check_success(
    before: Option<&Layer>,
    operation: &Operation,
    operations: &[(usize, Operation)],
    outcome: &Outcome,
) -> Result<(), String> {
    let is_removed = operations.iter().any(|(_, operation)| matches!(operation, Operation::Remove));
    let exists = before.is_some_and(|before| !before.may_be_absent) && !is_removed;
    let can_fail = match operation {
        Operation::Compact | Operation::CompactSome | Operation::Expire(_) => true,
        Operation::Create(_) => before.is_some(),
        _ => !exists,
    };
    let has_failed = matches!(outcome, Outcome::Missing | Outcome::Ended | Outcome::Failed(_));
    if has_failed && !can_fail { Err(format!("{operation:?} fails without a fault: {outcome:?}")) } else { Ok(()) }
}

/// Sets a value that one or more operations of a round change.
fn change(
    values: &mut std::collections::BTreeSet<Option<u32>>,
    value: Option<u32>,
    is_done: bool,
    operations: &[(usize, Operation)],
    is_same: impl Fn(&Operation) -> bool,
) {
    let is_alone = operations.iter().filter(|(_, operation)| is_same(operation)).count() == 1;
    if is_done && is_alone {
        values.clear();
    }
    values.insert(value);
}
