//! Descriptions of the columns of a relation.

use std::fmt::Write as _;

use super::relation::{Column, Relation};

impl Relation {
    /// A description of the columns' roles.
    pub fn describe_columns(&self) -> String {
        let mut text = match &self.geometry {
            Some(geometry) => format!("points of {}", geometry.name),
            None => "rows without positions".to_owned(),
        };
        for (word, column) in [("weight", &self.weight), ("time", &self.time), ("category", &self.category)] {
            if let Some(column) = column {
                text.extend([", ", word, " ", &column.name]);
            }
        }
        if self.is_indexed == Some(false) {
            text.push_str("; there is no spatial index on the geometry, so each picture reads all rows");
        }
        text
    }

    /// The roles, the coordinate reference system and the types of the columns, for the log.
    pub(super) fn describe_types(&self) -> String {
        let geometry = self.geometry.as_ref().map(|geometry| {
            let kind = if geometry.is_geography { "geography" } else { "geometry" };
            format!("points of {} ({kind}, SRID {})", geometry.name, geometry.srid)
        });
        let mut text = geometry.unwrap_or_else(|| "rows without positions".to_owned());
        for (word, column) in [("weight", &self.weight), ("time", &self.time), ("category", &self.category)] {
            if let Some(Column { name, type_name, .. }) = column {
                let _ = write!(text, ", {word} {name} ({type_name})");
            }
        }
        text
    }

    /// The roles and the types of the columns, for the version of the points.
    pub(super) fn roles_text(&self) -> String {
        let name = |column: &Option<Column>| column.as_ref().map(|column| column.name.clone()).unwrap_or_default();
        let roles = [&self.weight, &self.time, &self.category].map(name).join("\0");
        let columns =
            self.allowed_columns().into_iter().map(|column| format!("\0{} {}", column.name, column.type_name));
        roles + &columns.collect::<String>()
    }
}
