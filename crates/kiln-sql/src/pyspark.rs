//! A `PySpark` program that writes bins.

use kiln_core::Result;

use crate::engine::Engine;
use crate::query::BinsQuery;
use crate::select;

/// The program. `@NAME@` is replaced.
const TEMPLATE: &str = include_str!("pyspark.py");

/// The program for the bins of `query`, which writes to `to` unless its flag says otherwise.
pub(crate) fn script(query: &BinsQuery, to: Option<&str>) -> Result<String> {
    let dialect = Engine::Spark.dialect();
    let bins = select::bins(query, dialect)?;
    // A count of the points reads three columns and shuffles nothing; a minimum count needs the groups.
    let total = match query.at_least {
        Some(k) if k > 1 => format!("SELECT SUM(n) AS n FROM (\n{bins}\n)"),
        _ => select::count(query, dialect)?,
    };
    let to = to.map_or_else(|| "required=True".to_owned(), |to| format!("default={}", literal(to)));
    let title = query.table.replace(['\\', '"'], "'");
    let values = [
        ("@TABLE@", title),
        ("@ZOOM@", query.zoom.to_string()),
        ("@LEVEL@", query.level().to_string()),
        ("@TO@", to),
        ("@BINS@", block(&bins)),
        ("@TOTAL@", block(&total)),
    ];
    // Each placeholder occurs once in the template, and values are not searched.
    let mut output = String::new();
    let mut rest = TEMPLATE;
    while let Some((at, (name, value))) =
        values.iter().filter_map(|entry| Some((rest.find(entry.0)?, entry))).min_by_key(|(at, _)| *at)
    {
        output.push_str(&rest[..at]);
        output.push_str(value);
        rest = &rest[at + name.len()..];
    }
    output.push_str(rest);
    Ok(output)
}

/// A string literal of Python in one line.
fn literal(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

/// A string literal of Python in several lines.
fn block(text: &str) -> String {
    format!("\"\"\"\\\n{}\n\"\"\"", escaped(text).replace('\r', "\\r"))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
