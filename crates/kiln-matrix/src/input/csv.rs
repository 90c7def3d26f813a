//! Matrices and points in CSV.

use csv_core::{ReadRecordResult, ReaderBuilder};
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use serde_json::Map;

use super::placement::{Entry, Key, place};
use super::{InputOptions, MatrixInput, excerpt};
use crate::label::clean;
use crate::stop::Stop;

/// Texts of missing values, in lower case.
const MISSING: [&str; 6] = ["", "na", "n/a", "nan", "null", "-"];

/// The fields of the first record.
pub(super) fn first_record(text: &str) -> Vec<String> {
    let table = Table::read(text, Stop::NEVER);
    table.ok().and_then(|table| table.rows().next().map(<[String]>::to_vec)).unwrap_or_default()
}

/// Reads wide, long or plain rows.
pub(super) fn parse(text: &str, options: &InputOptions, stop: Stop<'_>) -> Result<MatrixInput> {
    let table = Table::read(text, stop)?;
    let Some(header) = table.rows().next() else {
        return Err(options.error("the input is empty; expected rows of numbers or points"));
    };
    let is_long = options.x.is_some() || options.y.is_some() || options.value.is_some() || options.agg.is_some();
    if is_long || ["x", "y", "value"].iter().all(|name| column_of(header, name).is_some()) {
        return parse_long(&table, options, stop);
    }
    table.check_lengths(options)?;
    // An empty corner, with labels next to it and below, is how data frames are written.
    let mut first_column = table.rows().skip(1).filter_map(|row| row.first());
    let has_corner = header[0].is_empty()
        && header.len() > 1
        && table.ends.len() > 1
        && header[1..].iter().chain(first_column.by_ref()).all(|label| !label.is_empty());
    if !has_corner && table.rows().flatten().all(|field| table.number(field).is_ok()) {
        let values = parse_numbers(&table, (0, 0), options, stop)?;
        let data = MatrixInput::from_rows(header.len(), values, options)?;
        return Ok(MatrixInput { data, x_title: None, y_title: None, unit: None, other: Map::new() });
    }
    parse_wide(&table, options, stop)
}

/// The records of a CSV file.
struct Table {
    /// The fields of all records.
    fields: Vec<String>,
    /// The end of each record in `fields`.
    ends: Vec<usize>,
    /// Whether a comma is a decimal point.
    has_decimal_commas: bool,
}

impl Table {
    /// Splits a text into records. Empty lines are skipped.
    fn read(text: &str, stop: Stop<'_>) -> Result<Self> {
        let delimiter = delimiter(text);
        let mut reader = ReaderBuilder::new().delimiter(delimiter).build();
        let mut table = Self { fields: Vec::new(), ends: Vec::new(), has_decimal_commas: delimiter == b';' };
        let (mut output, mut ends) = (vec![0; 1 << 10], vec![0; 1 << 6]);
        let (mut input, mut written, mut count) = (text.as_bytes(), 0, 0);
        loop {
            let (result, read, wrote, found) = reader.read_record(input, &mut output[written..], &mut ends[count..]);
            (input, written, count) = (&input[read..], written + wrote, count + found);
            match result {
                // The next call has empty input, which ends the record.
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => output.resize(2 * output.len(), 0),
                ReadRecordResult::OutputEndsFull => ends.resize(2 * ends.len(), 0),
                ReadRecordResult::Record => {
                    stop.check()?;
                    let starts = std::iter::once(0).chain(ends.iter().copied());
                    let field = |(start, end): (usize, &usize)| {
                        // Fields are separated at ASCII characters, so that they are UTF-8 like the text.
                        String::from_utf8_lossy(&output[start..*end]).trim().to_owned()
                    };
                    table.fields.extend(starts.zip(&ends[..count]).map(field));
                    table.ends.push(table.fields.len());
                    (written, count) = (0, 0);
                }
                ReadRecordResult::End => return Ok(table),
            }
        }
    }

    /// The fields of each record.
    fn rows(&self) -> impl Iterator<Item = &[String]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.fields[start..*end])
    }

    /// Checks that all records have as many fields as the first.
    fn check_lengths(&self, options: &InputOptions) -> Result<()> {
        let expected = self.ends.first().copied().unwrap_or(0);
        match self.rows().enumerate().find(|(_, row)| row.len() != expected) {
            Some((index, row)) => {
                let message = format!("row {} has {} fields, but row 1 has {expected}", index + 1, row.len());
                Err(options.error(message))
            }
            None => Ok(()),
        }
    }

    /// A number, `None` for a missing value, or an error that describes the field.
    fn number(&self, field: &str) -> Result<Option<f64>, String> {
        if field.len() <= 4 && MISSING.iter().any(|missing| field.eq_ignore_ascii_case(missing)) {
            return Ok(None);
        }
        let parsed = if self.has_decimal_commas && field.contains(',') {
            field.replacen(',', ".", 1).parse::<f64>()
        } else {
            field.parse::<f64>()
        };
        match parsed {
            Ok(number) if number.is_finite() => Ok(Some(number)),
            Ok(_) => Err(format!("`{}`, which is not finite,", excerpt(field))),
            Err(_) => Err(format!("`{}`", excerpt(field))),
        }
    }
}

/// The most frequent of comma, semicolon and tab outside of quotes in the first line; a comma if there is none.
fn delimiter(text: &str) -> u8 {
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    let mut is_quoted = false;
    for byte in text.trim_start_matches(|c: char| c.is_whitespace() && c != '\t').bytes() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\n' | b'\r' if !is_quoted => break,
            _ if !is_quoted => {
                if let Some((_, count)) = counts.iter_mut().find(|(delimiter, _)| *delimiter == byte) {
                    *count += 1;
                }
            }
            _ => {}
        }
    }
    let [comma, rest @ ..] = counts;
    rest.into_iter().fold(comma, |best, other| if other.1 > best.1 { other } else { best }).0
}

/// The index of a column: the name as it is, or else in any case.
fn column_of(header: &[String], name: &str) -> Option<usize> {
    let position = |is_name: &dyn Fn(&String) -> bool| header.iter().position(is_name);
    position(&|column| column == name).or_else(|| position(&|column| column.eq_ignore_ascii_case(name)))
}

/// The numbers below `skipped_rows` and right of `skipped_columns`.
fn parse_numbers(
    table: &Table,
    (skipped_rows, skipped_columns): (usize, usize),
    options: &InputOptions,
    stop: Stop<'_>,
) -> Result<Vec<Option<f64>>> {
    let mut values = Vec::new();
    for (index, row) in table.rows().enumerate().skip(skipped_rows) {
        stop.check()?;
        options.check_count(values.len() + row.len() - skipped_columns, "cells or more")?;
        for (column, field) in row.iter().enumerate().skip(skipped_columns) {
            let value = table.number(field).map_err(|found| {
                let (row, column) = (index + 1, column + 1);
                options.error(format!(
                    "row {row}, column {column} is {found} where a number or an empty field is expected"
                ))
            })?;
            values.push(value);
        }
    }
    Ok(values)
}

fn parse_wide(table: &Table, options: &InputOptions, stop: Stop<'_>) -> Result<MatrixInput> {
    let mut rows = table.rows();
    let header = rows.next().unwrap_or_default();
    let labels: Vec<String> = rows.filter_map(|row| row.first().cloned()).collect();
    if header.len() < 2 || labels.is_empty() {
        let message = format!(
            "{} columns and {} rows; expected labels in the first row and the first column, and values",
            header.len(),
            labels.len() + 1
        );
        return Err(options.error(message));
    }
    let values = parse_numbers(table, (1, 1), options, stop)?;
    let mut labeled = options.clone();
    labeled.x_labels.get_or_insert_with(|| header[1..].to_vec());
    labeled.y_labels.get_or_insert(labels);
    let data = MatrixInput::from_rows(header.len() - 1, values, &labeled)?;
    let y_title = Some(clean(&header[0])).filter(|title| !title.is_empty());
    Ok(MatrixInput { data, x_title: None, y_title, unit: None, other: Map::new() })
}

fn parse_long(table: &Table, options: &InputOptions, stop: Stop<'_>) -> Result<MatrixInput> {
    let mut rows = table.rows();
    let header = rows.next().unwrap_or_default();
    let find = |name: &str, parameter: Parameter| {
        column_of(header, name).ok_or_else(|| {
            let known = header.iter().take(30).map(|column| excerpt(column)).collect::<Vec<_>>().join(", ");
            Error::invalid(parameter, format!("no column is named `{}`; the columns are {known}", excerpt(name)))
        })
    };
    let x = find(options.x_name(), Parameter::X)?;
    let y = find(options.y_name(), Parameter::Y)?;
    let value = if options.needs_values() { Some(find(options.value_name(), Parameter::VALUE)?) } else { None };
    let label = column_of(header, "label");
    table.check_lengths(options)?;
    let is_numeric = |column: usize| {
        table.rows().skip(1).all(|row| matches!(row.get(column).map(|field| table.number(field)), Some(Ok(Some(_)))))
    };
    // With labels, names that are numbers are names, unless they are indices.
    let is_number =
        |column: usize, labels: &Option<Vec<String>>| (options.index || labels.is_none()) && is_numeric(column);
    let (x_is_number, y_is_number) = (is_number(x, &options.x_labels), is_number(y, &options.y_labels));
    let mut entries = Vec::new();
    for (index, row) in rows.enumerate() {
        stop.check()?;
        let number = index + 2;
        let key = |column: usize, is_number: bool| {
            let name = row[column].clone();
            if name.is_empty() {
                let message =
                    format!("row {number}, column {} is empty where a name or number is expected", column + 1);
                return Err(options.error(message));
            }
            let number = if is_number { table.number(&name).ok().flatten() } else { None };
            Ok(Key { number, name })
        };
        let value = match value {
            Some(column) => table.number(&row[column]).map_err(|found| {
                let name = excerpt(&header[column]);
                options.error(format!(
                    "row {number}, column {name} is {found} where a number or an empty field is expected"
                ))
            })?,
            None => None,
        };
        let label = label.map(|column| row[column].clone()).filter(|label| !label.is_empty());
        entries.push(Entry { x: key(x, x_is_number)?, y: key(y, y_is_number)?, value, label });
    }
    if entries.is_empty() {
        return Err(options.error("there are no rows below the header; expected at least one"));
    }
    let data = place(entries, options, true, |index| format!("row {}", index + 2))?;
    Ok(options.input(data))
}
