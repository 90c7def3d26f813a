//! Matrices and points in JSON.

use kiln_core::error::Result;
use serde_json::{Map, Value};

use super::placement::{Entry, Key, place};
use super::{InputOptions, MatrixInput, excerpt};
use crate::stop::Stop;

/// Reads an object, or a bare array of rows or points.
pub(super) fn parse(text: &str, options: &InputOptions, stop: Stop<'_>) -> Result<MatrixInput> {
    let document: Value =
        serde_json::from_str(text).map_err(|error| options.error(format!("the JSON is invalid: {error}")))?;
    match document {
        Value::Object(object) => parse_object(object, options, stop),
        Value::Array(items) => parse_items(&items, options, stop),
        other => Err(options.error(format!("{} where an object or an array is expected", kind(&other)))),
    }
}

fn parse_object(mut object: Map<String, Value>, options: &InputOptions, stop: Stop<'_>) -> Result<MatrixInput> {
    let keys = object.keys().take(20).map(|key| excerpt(key)).collect::<Vec<_>>().join(", ");
    let (values, points) = (object.remove("values"), object.remove("points"));
    let options = with_keys(&mut object, options)?;
    let mut input = match (values, points) {
        (Some(values), None) => parse_rows(items(&values, "values", &options)?, &options, stop)?,
        (None, Some(points)) => parse_points(items(&points, "points", &options)?, &options, stop)?,
        (Some(_), Some(_)) => return Err(options.error("the object has both values and points; expected one of them")),
        (None, None) => {
            let found = if keys.is_empty() { "none".to_owned() } else { keys };
            return Err(options.error(format!("the object has neither values nor points; its keys are {found}")));
        }
    };
    input.other = object;
    Ok(input)
}

/// A bare array: of rows if its first item is an array, else of points.
fn parse_items(items: &[Value], options: &InputOptions, stop: Stop<'_>) -> Result<MatrixInput> {
    match items.first() {
        Some(Value::Array(_)) => parse_rows(items, options, stop),
        Some(Value::Object(_)) => parse_points(items, options, stop),
        Some(other) => {
            let message =
                format!("item 1 is {} where a row (an array) or a point (an object) is expected", kind(other));
            Err(options.error(message))
        }
        None => Err(options.error("the array is empty; expected rows of numbers or points")),
    }
}

/// The options with those of the object, which are removed from it. Options that are set already take precedence.
fn with_keys(object: &mut Map<String, Value>, options: &InputOptions) -> Result<InputOptions> {
    let mut merged = options.clone();
    let mut text = |key: &str| match object.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(options.error(format!("{key} is {} where a text is expected", kind(&other)))),
    };
    let (x, y, value, agg) = (text("x")?, text("y")?, text("value")?, text("agg")?);
    merged.x = merged.x.or(x);
    merged.y = merged.y.or(y);
    merged.value = merged.value.or(value);
    if let (None, Some(agg)) = (merged.agg, agg) {
        merged.agg = Some(agg.parse()?);
    }
    let mut labels = |key: &str| match object.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Array(labels)) => {
            let label = |(index, label): (usize, Value)| match label {
                Value::String(text) => Ok(text),
                Value::Number(number) => Ok(number.to_string()),
                other => {
                    let message = format!("{key}[{index}] is {} where a text or number is expected", kind(&other));
                    Err(options.error(message))
                }
            };
            labels.into_iter().enumerate().map(label).collect::<Result<Vec<_>>>().map(Some)
        }
        Some(other) => Err(options.error(format!("{key} is {} where an array of texts is expected", kind(&other)))),
    };
    let (x_labels, y_labels) = (labels("x_labels")?, labels("y_labels")?);
    merged.x_labels = merged.x_labels.or(x_labels);
    merged.y_labels = merged.y_labels.or(y_labels);
    let mut flag = |key: &str| match object.remove(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(flag)),
        Some(other) => Err(options.error(format!("{key} is {} where true or false is expected", kind(&other)))),
    };
    let (index, categorical) = (flag("index")?, flag("categorical")?);
    merged.index |= index.unwrap_or(false);
    merged.categorical = merged.categorical.or(categorical);
    Ok(merged)
}

fn items<'v>(value: &'v Value, key: &str, options: &InputOptions) -> Result<&'v [Value]> {
    match value {
        Value::Array(items) if !items.is_empty() => Ok(items),
        Value::Array(_) => Err(options.error(format!("{key} is empty; expected at least one item"))),
        other => Err(options.error(format!("{key} is {} where an array is expected", kind(other)))),
    }
}

fn parse_rows(rows: &[Value], options: &InputOptions, stop: Stop<'_>) -> Result<MatrixInput> {
    if options.agg.is_some() {
        return Err(options.error("agg applies to points; rows of numbers have one value per cell"));
    }
    let mut values = Vec::new();
    let mut columns = None;
    for (index, row) in rows.iter().enumerate() {
        stop.check()?;
        let number = index + 1;
        let Value::Array(fields) = row else {
            return Err(options.error(format!("row {number} is {} where an array of numbers is expected", kind(row))));
        };
        let expected = *columns.get_or_insert(fields.len());
        if fields.len() != expected {
            let message = format!("row {number} has {} values, but row 1 has {expected}", fields.len());
            return Err(options.error(message));
        }
        options.check_count(values.len() + fields.len(), "cells or more")?;
        for (column, field) in fields.iter().enumerate() {
            let value = number_or_null(field).map_err(|found| {
                let column = column + 1;
                options.error(format!("row {number}, column {column} is {found} where a number or null is expected"))
            })?;
            values.push(value);
        }
    }
    let columns = columns.unwrap_or(0);
    if columns == 0 {
        return Err(options.error("row 1 has no values; expected at least one"));
    }
    let data = MatrixInput::from_rows(columns, values, options)?;
    Ok(MatrixInput { data, x_title: None, y_title: None, unit: None, other: Map::new() })
}

fn parse_points(points: &[Value], options: &InputOptions, stop: Stop<'_>) -> Result<MatrixInput> {
    let mut entries = Vec::with_capacity(points.len());
    for (index, point) in points.iter().enumerate() {
        stop.check()?;
        let number = index + 1;
        let Value::Object(point) = point else {
            return Err(options.error(format!("point {number} is {} where an object is expected", kind(point))));
        };
        let field = |key: &str| {
            point.get(key).ok_or_else(|| {
                let keys = point.keys().take(20).map(|key| excerpt(key)).collect::<Vec<_>>().join(", ");
                let found = if keys.is_empty() { "it has none".to_owned() } else { format!("its keys are {keys}") };
                options.error(format!("point {number} has no key `{}`; {found}", excerpt(key)))
            })
        };
        let position = |key: &str| match field(key)? {
            Value::String(name) => Ok(Key { number: None, name: name.clone() }),
            Value::Number(value) => {
                // Parsed numbers are finite.
                let float = value.as_f64().filter(|float| float.is_finite());
                Ok(Key { number: float, name: value.to_string() })
            }
            other => {
                let message =
                    format!("point {number}: {} is {} where a number or text is expected", excerpt(key), kind(other));
                Err(options.error(message))
            }
        };
        let value = if options.needs_values() {
            let name = options.value_name();
            number_or_null(field(name)?).map_err(|found| {
                options
                    .error(format!("point {number}: {} is {found} where a number or null is expected", excerpt(name)))
            })?
        } else {
            None
        };
        let label = match point.get("label") {
            None | Some(Value::Null) => None,
            Some(Value::String(label)) => Some(label.clone()),
            Some(Value::Number(label)) => Some(label.to_string()),
            Some(other) => {
                let message = format!("point {number}: label is {} where a text is expected", kind(other));
                return Err(options.error(message));
            }
        };
        entries.push(Entry { x: position(options.x_name())?, y: position(options.y_name())?, value, label });
    }
    let data = place(entries, options, false, |index| format!("point {}", index + 1))?;
    Ok(options.input(data))
}

/// A number, or `None` for null; else what it is.
fn number_or_null(value: &Value) -> Result<Option<f64>, String> {
    match value {
        Value::Null => Ok(None),
        Value::Number(number) => match number.as_f64().filter(|number| number.is_finite()) {
            Some(number) => Ok(Some(number)),
            None => Err(format!("{number}, which is not finite,")),
        },
        Value::String(text) => Err(format!("the text `{}`", excerpt(text))),
        other => Err(kind(other).to_owned()),
    }
}

/// What a value is, for an error.
fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
