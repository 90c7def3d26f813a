//! From points with positions or names to cells or continuous points.

use std::collections::{BTreeMap, HashMap};

use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use kiln_core::raster::Aggregation;

use super::{InputOptions, excerpt};
use crate::calendar_names::calendar_positions;
use crate::{ChartData, Matrix, MatrixPoint};

/// A position or name on an axis.
#[derive(Clone, Debug)]
pub(super) struct Key {
    /// The finite number, if the key is one.
    pub(super) number: Option<f64>,
    /// The text, for a label.
    pub(super) name: String,
}

/// A point or row of the input.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) x: Key,
    pub(super) y: Key,
    pub(super) value: Option<f64>,
    pub(super) label: Option<String>,
}

/// Places entries. `name_of` describes an entry by its index, such as `row 3`; `categorical` is the default of the format.
pub(super) fn place(
    entries: Vec<Entry>,
    options: &InputOptions,
    categorical: bool,
    name_of: impl Fn(usize) -> String,
) -> Result<ChartData> {
    let categorical = options.categorical.unwrap_or(categorical)
        || options.index
        || options.agg.is_some()
        || options.x_labels.is_some()
        || options.y_labels.is_some();
    if !categorical && entries.iter().all(|entry| entry.x.number.is_some() && entry.y.number.is_some()) {
        return continuous(entries, options);
    }
    let (columns, xs) = resolve(entries.iter().map(|entry| &entry.x), &X, options, &name_of)?;
    let (rows, ys) = resolve(entries.iter().map(|entry| &entry.y), &Y, options, &name_of)?;
    let count = columns.len().saturating_mul(rows.len());
    options.check_count(count, &format!("cells of {} columns and {} rows", columns.len(), rows.len()))?;
    let cells: Vec<usize> = xs.into_iter().zip(ys).map(|(x, y)| y * columns.len() + x).collect();
    let values = match options.agg {
        Some(agg) => aggregate(&entries, &cells, count, agg, options),
        None => single_values(&entries, &cells, count, name_of)?,
    };
    Ok(ChartData::Cells(Matrix::new(columns, rows, values)?))
}

fn continuous(entries: Vec<Entry>, options: &InputOptions) -> Result<ChartData> {
    options.check_count(entries.len(), "points")?;
    let point = |entry: Entry| {
        let (x, y) = entry.x.number.zip(entry.y.number)?;
        Some(MatrixPoint { x, y, value: entry.value?, label: entry.label })
    };
    let points: Vec<MatrixPoint> = entries.into_iter().filter_map(point).collect();
    if points.is_empty() {
        return Err(options.error("no point has a value; expected at least one"));
    }
    Ok(ChartData::Points(points))
}

/// The values of entries that are alone in their cell.
fn single_values(
    entries: &[Entry],
    cells: &[usize],
    count: usize,
    name_of: impl Fn(usize) -> String,
) -> Result<Vec<Option<f64>>> {
    let mut sources: Vec<Option<usize>> = vec![None; count];
    for (index, cell) in cells.iter().enumerate() {
        if let Some(first) = sources[*cell].replace(index) {
            let (x, y) = (excerpt(&entries[index].x.name), excerpt(&entries[index].y.name));
            let message = format!(
                "the cell {x}, {y} occurs in {} and {}; expected it once, or agg sum, mean, count or max",
                name_of(first),
                name_of(index)
            );
            return Err(Error::invalid(Parameter::AGG, message));
        }
    }
    Ok(sources.into_iter().map(|index| entries[index?].value).collect())
}

/// Aggregates the values of entries per cell. A count without a column of values counts entries.
fn aggregate(
    entries: &[Entry],
    cells: &[usize],
    count: usize,
    agg: Aggregation,
    options: &InputOptions,
) -> Vec<Option<f64>> {
    // Counts, and sums or maxima.
    let mut sums: Vec<(f64, f64)> = vec![(0.0, if agg == Aggregation::Max { f64::MIN } else { 0.0 }); count];
    for (entry, cell) in entries.iter().zip(cells) {
        let value = if options.needs_values() { entry.value } else { Some(1.0) };
        if let Some(value) = value {
            let (count, sum) = &mut sums[*cell];
            *count += 1.0;
            *sum = if agg == Aggregation::Max { sum.max(value) } else { *sum + value };
        }
    }
    let result = |(count, sum): (f64, f64)| match agg {
        _ if count == 0.0 => None,
        Aggregation::Count => Some(count),
        Aggregation::Mean => Some(sum / count),
        Aggregation::Sum | Aggregation::Max => Some(sum),
    };
    sums.into_iter().map(result).collect()
}

/// An axis in messages.
struct AxisName {
    name: &'static str,
    labels: Parameter,
    given: fn(&InputOptions) -> Option<&Vec<String>>,
}

const X: AxisName = AxisName { name: "x", labels: Parameter::X_LABELS, given: |options| options.x_labels.as_ref() };
const Y: AxisName = AxisName { name: "y", labels: Parameter::Y_LABELS, given: |options| options.y_labels.as_ref() };

/// The labels of an axis, and the index of each key in them.
fn resolve<'k>(
    keys: impl Iterator<Item = &'k Key> + Clone,
    axis: &AxisName,
    options: &InputOptions,
    name_of: impl Fn(usize) -> String,
) -> Result<(Vec<String>, Vec<usize>)> {
    let labels = (axis.given)(options);
    match labels {
        Some(labels) => {
            let indices = indices_in(labels, keys, axis, name_of)?;
            Ok((labels.clone(), indices))
        }
        None if options.index => {
            let (mut indices, mut count) = (Vec::new(), 0);
            for (number, key) in keys.enumerate() {
                let index = whole(key).ok_or_else(|| {
                    let (place, name) = (name_of(number), excerpt(&key.name));
                    options.error(format!(
                        "{place}: {} `{name}` is not an index; expected a whole number from 0",
                        axis.name
                    ))
                })?;
                options.check_count(index.saturating_add(1), "columns or rows")?;
                count = count.max(index + 1);
                indices.push(index);
            }
            Ok(((0..count).map(|index| index.to_string()).collect(), indices))
        }
        None if keys.clone().all(|key| key.number.is_some()) => {
            // Numbers in ascending order, by bits that sort like them. The label is the first text of the number.
            let sortable = |number: f64| {
                let bits = (number + 0.0).to_bits();
                if bits >> 63 == 0 { bits | (1 << 63) } else { !bits }
            };
            let keys = keys.map(|key| (sortable(key.number.unwrap_or_default()), &key.name));
            let mut names: BTreeMap<u64, (&String, usize)> = BTreeMap::new();
            for (bits, name) in keys.clone() {
                names.entry(bits).or_insert((name, 0));
            }
            for (index, entry) in names.values_mut().enumerate() {
                entry.1 = index;
            }
            let indices = keys.map(|(bits, _)| names.get(&bits).map_or(0, |(_, index)| *index)).collect();
            Ok((names.values().map(|(name, _)| (*name).clone()).collect(), indices))
        }
        None => {
            let mut found: HashMap<&str, usize> = HashMap::new();
            let mut labels = Vec::new();
            let mut index_of = |key: &'k Key| {
                *found.entry(&key.name).or_insert_with(|| {
                    labels.push(key.name.clone());
                    labels.len() - 1
                })
            };
            let indices: Vec<usize> = keys.map(&mut index_of).collect();
            Ok(in_calendar_order(labels, indices))
        }
    }
}

/// Sorts labels from Monday or January on if all are names of days of the week, or of months.
fn in_calendar_order(labels: Vec<String>, indices: Vec<usize>) -> (Vec<String>, Vec<usize>) {
    let Some(positions) = calendar_positions(&labels) else { return (labels, indices) };
    let mut order: Vec<usize> = (0..labels.len()).collect();
    order.sort_by_key(|index| positions[*index]);
    let mut places = vec![0; order.len()];
    for (place, index) in order.iter().enumerate() {
        places[*index] = place;
    }
    let sorted = order.iter().map(|index| labels[*index].clone()).collect();
    (sorted, indices.into_iter().map(|index| places[index]).collect())
}

/// The index of each key in the labels: the name, or else the whole number.
fn indices_in<'k>(
    labels: &[String],
    keys: impl Iterator<Item = &'k Key>,
    axis: &AxisName,
    name_of: impl Fn(usize) -> String,
) -> Result<Vec<usize>> {
    let by_name: HashMap<&str, usize> = labels.iter().map(String::as_str).zip(0..).collect();
    let index_of = |(number, key): (usize, &Key)| {
        let place = name_of(number);
        let (name, last) = (excerpt(&key.name), labels.len().saturating_sub(1));
        match (key.number, whole(key)) {
            (Some(_), Some(index)) if index < labels.len() => Ok(index),
            (Some(_), _) => {
                let message = format!(
                    "{place} has the {} {name}; expected an index of the {} labels, 0 to {last}",
                    axis.name,
                    labels.len()
                );
                Err(Error::invalid(axis.labels, message))
            }
            (None, _) => by_name.get(key.name.as_str()).copied().ok_or_else(|| {
                let known: Vec<String> = labels.iter().take(10).map(|label| excerpt(label)).collect();
                let more = if labels.len() > known.len() { ", …" } else { "" };
                let message =
                    format!("{place} has the {} `{name}`, which is none of {}{more}", axis.name, known.join(", "));
                Error::invalid(axis.labels, message)
            }),
        }
    };
    keys.enumerate().map(index_of).collect()
}

/// The key as an index.
fn whole(key: &Key) -> Option<usize> {
    let number = key.number.filter(|number| number.fract() == 0.0 && (0.0..1e15).contains(number))?;
    Some(number as usize)
}
