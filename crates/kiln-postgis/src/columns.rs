//! The roles of columns.

use super::relation::{Column, ColumnType};
use kiln_core::source::{Columns, Role};

/// A column of a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CatalogColumn {
    pub(super) name: String,
    /// The name of its type; for an enumeration, its own name.
    pub(super) type_name: String,
    pub(super) is_enum: bool,
}

impl CatalogColumn {
    /// The type of its values, if it is supported.
    pub(super) fn kind(&self) -> Option<ColumnType> {
        Some(match self.type_name.as_str() {
            "int2" => ColumnType::SmallInteger,
            "int4" | "int8" => ColumnType::Integer,
            "float4" => ColumnType::Float4,
            "float8" | "numeric" => ColumnType::Numeric,
            "timestamptz" => ColumnType::TimestampTz,
            "timestamp" | "date" => ColumnType::Timestamp,
            "text" | "varchar" | "bpchar" | "name" | "bool" | "uuid" | "citext" => ColumnType::Text,
            _ if self.is_enum => ColumnType::Text,
            _ => return None,
        })
    }

    pub(super) fn is_geometry(&self) -> bool {
        matches!(self.type_name.as_str(), "geometry" | "geography")
    }
}

/// The column `named` for a role, or the one with a usual name and a suitable type; `None` if `named` is
/// [`Columns::NO_COLUMN`].
///
/// # Errors
/// A message if there is no column of that name, or its type is unsuitable.
pub(super) fn column_for(role: Role, named: Option<&str>, columns: &[CatalogColumn]) -> Result<Option<Column>, String> {
    if named == Some(Columns::NO_COLUMN) {
        return Ok(None);
    }
    let is_suitable = |kind: ColumnType| match role {
        Role::Weight => kind.is_number(),
        Role::Time => kind.is_time(),
        _ => true,
    };
    let column = |found: &CatalogColumn| {
        let kind = found.kind().filter(|kind| is_suitable(*kind))?;
        Some(Column { name: found.name.clone(), kind, type_name: found.type_name.clone() })
    };
    if let Some(name) = named {
        let names = columns.iter().map(|column| column.name.as_str());
        let found = columns.iter().find(|found| found.name == name);
        let found = found.ok_or_else(|| role.unknown("column", name, names))?;
        let reason = || format!("column {name} has the type {}, which cannot be a {}", found.type_name, role.word());
        return column(found).map(Some).ok_or_else(reason);
    }
    let usual = role.usual_names().iter().find_map(|usual| {
        let found = columns.iter().find(|found| found.name.eq_ignore_ascii_case(usual))?;
        // Numbers are categories only if a column is named.
        column(found).filter(|column| role != Role::Category || column.kind == ColumnType::Text)
    });
    let only_time = || {
        let mut times = columns.iter().filter_map(column);
        times.next().filter(|_| role == Role::Time && times.next().is_none())
    };
    Ok(usual.or_else(only_time))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_name_none_selects_no_column() {
        let columns = ["value", "none"].map(|name| CatalogColumn {
            name: name.to_owned(),
            type_name: "int4".to_owned(),
            is_enum: false,
        });
        let weight = |named| column_for(Role::Weight, named, &columns).unwrap().map(|column| column.name);
        assert_eq!(weight(None).as_deref(), Some("value"));
        assert_eq!(weight(Some("none")), None);
    }
}
