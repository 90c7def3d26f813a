//! The input of `kiln matrix`: points, or a table of the matrix itself.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use kiln_matrix::{InputFormat, column_names};

use crate::calendar::TimePart;
use crate::error::{Error, Result};
use crate::objects::{ObjectError, ObjectUrl, Objects};
use crate::postgis::Address;

/// What an input has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum InputKind {
    /// Points, or the rows of a table that are grouped by the axes
    Points,
    /// The matrix itself, or its cells
    Matrix,
}

impl InputKind {
    /// The kind of inputs with these axes: points, if an axis is a part of the time, `category`, `lon` or `lat`, or unless
    /// the input is one file in JSON or CSV, or standard input. A file with columns of the names of both axes is a matrix,
    /// unless they are `lon` or `lat`.
    pub(super) fn of(inputs: &[String], axes: [Option<&str>; 2]) -> Self {
        let is_position = |axis: &str| ["lon", "lat"].contains(&axis.trim());
        let is_of_points =
            |axis: &str| axis.parse::<TimePart>().is_ok() || axis.trim() == "category" || is_position(axis);
        let [input] = inputs else { return Self::Points };
        if !is_table_file(input) {
            return Self::Points;
        }
        if !axes.into_iter().flatten().any(is_of_points) {
            return Self::Matrix;
        }
        match axes {
            [Some(x), Some(y)] if !is_position(x) && !is_position(y) && has_columns(input, [x, y]) => Self::Matrix,
            _ => Self::Points,
        }
    }
}

/// Whether a file has columns of these names, in any case. Standard input has none: it can be read only once.
fn has_columns(input: &str, names: [&str; 2]) -> bool {
    if !Path::new(input).is_file() {
        return false;
    }
    let Ok(mut file) = File::open(input).map(BufReader::new) else { return false };
    let format = file.fill_buf().map(|head| format(input, head));
    let columns = format.map(|format| column_names(file, format)).unwrap_or_default();
    names.iter().all(|name| columns.iter().any(|column| column.eq_ignore_ascii_case(name)))
}

/// Whether an input may be a table of a matrix.
fn is_table_file(input: &str) -> bool {
    const EXTENSIONS: [&str; 4] = ["csv", "json", "tsv", "txt"];
    let extension = Path::new(input).extension().map(|extension| extension.to_string_lossy().to_lowercase());
    input == "-"
        || !Address::is_database_url(input) && extension.is_some_and(|extension| EXTENSIONS.contains(&&*extension))
}

/// Whether an input is the URL of an object.
pub(super) fn is_object(input: &str) -> bool {
    ObjectUrl::is_url(input) && !Address::is_database_url(input)
}

/// The content of a file, an object or of standard input.
pub(super) fn read(input: &str) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read = if input == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes)
    } else if is_object(input) {
        let url: ObjectUrl = input.parse()?;
        let reader = Objects::shared(&url).and_then(|objects| objects.reader(url.key()));
        reader.map_err(ObjectError::into_error)?.read_to_end(&mut bytes)
    } else {
        File::open(input).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    read.map_err(|error| Error::io(input, "read", error))?;
    Ok(bytes)
}

/// The format of an input: JSON by its extension or first character, else CSV.
pub(super) fn format(input: &str, bytes: &[u8]) -> InputFormat {
    let extension = Path::new(input).extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
    match extension.as_deref() {
        Some("json") => InputFormat::Json,
        Some("csv" | "tsv") => InputFormat::Csv,
        _ if text.starts_with(b"{") || text.starts_with(b"[") => InputFormat::Json,
        _ => InputFormat::Csv,
    }
}

/// The column of an axis that may be the category of the points in files: one that is none of the other axes.
pub(super) fn category_column<'a>(axes: [Option<&'a str>; 2], weight: Option<&str>) -> Option<&'a str> {
    const OTHERS: [&str; 8] = ["none", "category", "lon", "lat", "x", "y", "value", "weight"];
    let is_column = |axis: &&str| axis.parse::<TimePart>().is_err() && !OTHERS.contains(axis) && weight != Some(axis);
    axes.into_iter().flatten().find(is_column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_of_points_and_inputs_that_are_no_tables_are_points() {
        let of = |inputs: &[&str], x: Option<&str>, y: Option<&str>| {
            InputKind::of(&inputs.iter().map(|input| (*input).to_owned()).collect::<Vec<_>>(), [x, y])
        };
        for (inputs, x, y) in [
            (&["trips.csv"][..], Some("hour"), None),
            (&["trips.csv"], Some("kind"), Some("weekday")),
            (&["-"], Some("lon"), Some("lat")),
            (&["flights"], None, None),
            (&["trips.parquet"], Some("a"), Some("b")),
            (&["a.csv", "b.csv"], None, None),
            (&["postgres://h/d?table=t.csv"], None, None),
        ] {
            assert_eq!(of(inputs, x, y), InputKind::Points, "{inputs:?} {x:?} {y:?}");
        }
        for (input, x, y) in
            [("load.csv", None, None), ("-", Some("server"), Some("metric")), ("load.JSON", None, None)]
        {
            assert_eq!(of(&[input], x, y), InputKind::Matrix, "{input}");
        }
    }

    #[test]
    fn an_axis_that_is_no_other_is_the_category() {
        assert_eq!(category_column([Some("hour"), Some("carrier")], None), Some("carrier"));
        assert_eq!(category_column([Some("hour"), Some("delay")], Some("delay")), None);
        assert_eq!(category_column([Some("value"), None], None), None);
    }

    #[test]
    fn the_format_is_that_of_the_extension_or_the_first_character() {
        assert_eq!(format("a.csv", b"[1]"), InputFormat::Csv);
        assert_eq!(format("-", b"\xef\xbb\xbf [[1]]"), InputFormat::Json);
        assert_eq!(format("a.txt", b"1,2"), InputFormat::Csv);
        assert_eq!(format("a.JSON", b"1"), InputFormat::Json);
    }
}
