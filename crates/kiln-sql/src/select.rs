//! The `SELECT` of bins.

use kiln_core::geo::{MAX_MERCATOR_LAT_DEG, Points};
use kiln_core::{Parameter, Result};

use crate::engine::Dialect;
use crate::lattice;
use crate::name::{Part, check_characters, parts};
use crate::query::BinsQuery;

/// The alias of the table. All names of this crate begin with `kiln_`, and columns of the table are qualified by it, so
/// that the names of a user cannot be mistaken for them.
const TABLE: &str = "kiln_points";

/// The greatest longitude of a valid point, in either direction.
const MAX_LON_DEG: f64 = 360.0;

/// One `SELECT` of the bins.
pub(crate) fn bins(query: &BinsQuery, dialect: &dyn Dialect) -> Result<String> {
    let level = query.level();
    let cell = |share| dialect.to_integer(&lattice::cell(dialect, share, level), level > 31);
    let mut columns = vec![format!("{} AS kiln_x", cell("kiln_u")), format!("{} AS kiln_y", cell("kiln_v"))];
    let mut kept = Vec::new();
    let mut keys = vec!["kiln_x", "kiln_y"];
    let mut outputs = vec![(dialect.level(level), "level"), ("kiln_x".into(), "cell_x"), ("kiln_y".into(), "cell_y")];
    outputs.push((dialect.count().to_owned(), "n"));
    if query.weight.is_some() {
        kept.push("kiln_w");
        columns.push("kiln_w".into());
        outputs.push((dialect.sum_of_floats("kiln_w"), "weight"));
        outputs.push((format!("MAX({})", dialect.to_float("kiln_w")), "max_weight"));
    }
    if let Some((_, bucket)) = &query.time {
        kept.push("kiln_us");
        columns.push(format!("{} AS kiln_time", dialect.bucket(*bucket, "kiln_us")));
        keys.push("kiln_time");
        outputs.push(("kiln_time".into(), "time"));
    }
    if query.category.is_some() {
        kept.push("kiln_category");
        columns.push("kiln_category".into());
        keys.push("kiln_category");
        outputs.push(("kiln_category".into(), "category"));
    }
    let alias = |name: &str| dialect.identifier(&Part { text: name.to_owned(), is_quoted: true });
    let outputs: Vec<String> = outputs.iter().map(|(value, name)| format!("{value} AS {}", alias(name))).collect();
    let having = query.at_least.filter(|&k| k > 1).map(|k| format!("\nHAVING COUNT(*) >= {k}")).unwrap_or_default();
    let shares = lattice::shares(dialect, &kept, &points(query, dialect)?);
    Ok(format!(
        "SELECT {}\nFROM (\n  SELECT {}\n  FROM (\n{shares}\n  ) AS kiln_places\n) AS kiln_cells\nGROUP BY {}{having}",
        outputs.join(", "),
        columns.join(",\n    "),
        keys.join(", ")
    ))
}

/// A `SELECT` of the number of points that the bins count, without a minimum count.
pub(crate) fn count(query: &BinsQuery, dialect: &dyn Dialect) -> Result<String> {
    Ok(format!("SELECT COUNT(*) AS n\n{}", from_where(query, dialect)?))
}

/// A `SELECT` of the columns of the valid points.
fn points(query: &BinsQuery, dialect: &dyn Dialect) -> Result<String> {
    let lon = dialect.to_double(&column(dialect, Parameter::LON, &query.lon)?);
    let lat = dialect.to_double(&column(dialect, Parameter::LAT, &query.lat)?);
    let mut columns = vec![format!("{lon} AS kiln_lon"), format!("{lat} AS kiln_lat")];
    if let Some(weight) = &query.weight {
        columns.push(format!("{} AS kiln_w", dialect.to_double(&column(dialect, Parameter::WEIGHT, weight)?)));
    }
    if let Some((time, _)) = &query.time {
        columns.push(format!("{} AS kiln_us", dialect.to_microseconds(&column(dialect, Parameter::TIME, time)?)));
    }
    if let Some(category) = &query.category {
        let category = column(dialect, Parameter::CATEGORY, category)?;
        columns.push(format!("{} AS kiln_category", dialect.to_category(&category)));
    }
    Ok(format!("  SELECT {}\n{}", columns.join(", "), from_where(query, dialect)?))
}

/// The `FROM` and `WHERE` of the points that an import of the table would store: positions and weights that are NULL, not
/// finite or out of range are left out. Comparisons with NULL and NaN are not true.
fn from_where(query: &BinsQuery, dialect: &dyn Dialect) -> Result<String> {
    let mut conditions = vec![
        dialect.is_within(&column(dialect, Parameter::LON, &query.lon)?, MAX_LON_DEG),
        dialect.is_within(&column(dialect, Parameter::LAT, &query.lat)?, MAX_MERCATOR_LAT_DEG),
    ];
    if let Some(weight) = &query.weight {
        conditions.push(dialect.is_within(&column(dialect, Parameter::WEIGHT, weight)?, max_weight()));
    }
    if let Some(condition) = &query.condition {
        // A comment at the end of the condition ends with the line.
        conditions.push(format!("(\n{condition}\n  )"));
    }
    Ok(format!("  FROM {} AS {TABLE}\n  WHERE {}", table(query, dialect)?, conditions.join("\n    AND ")))
}

/// The table, or the files.
fn table(query: &BinsQuery, dialect: &dyn Dialect) -> Result<String> {
    let table = &query.table;
    check_characters(Parameter::TABLE, table)?;
    if is_path(table) {
        return dialect.files(table);
    }
    let parts = parts(Parameter::TABLE, table)?;
    Ok(parts.iter().map(|part| dialect.identifier(part)).collect::<Vec<_>>().join("."))
}

/// Whether a table is the path or URL of files.
fn is_path(table: &str) -> bool {
    let extension = table.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    let is_file = extension.is_some_and(|extension| ["parquet", "csv", "orc"].contains(&extension.as_str()));
    !table.starts_with('"') && (is_file || table.contains('/'))
}

/// A qualified column; a field of a structure after a dot.
fn column(dialect: &dyn Dialect, parameter: Parameter, name: &str) -> Result<String> {
    let parts = parts(parameter, name)?;
    let path: Vec<String> = parts.iter().map(|part| dialect.identifier(part)).collect();
    Ok(format!("{TABLE}.{}", path.join(".")))
}

/// The greatest double that becomes a valid 32-bit weight: half a unit of the last place above [`Points::MAX_WEIGHT`], which
/// rounds to even, down.
fn max_weight() -> f64 {
    let max = Points::MAX_WEIGHT;
    f64::midpoint(f64::from(max), f64::from(max.next_up()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::float_cmp)]
    fn the_bound_of_weights_is_that_of_32_bit_weights() {
        assert_eq!(max_weight() as f32, Points::MAX_WEIGHT);
        assert!(max_weight().next_up() as f32 > Points::MAX_WEIGHT);
    }
}
