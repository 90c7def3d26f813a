//! Discovery of tables and views of points.

use super::database::{Database, all};
use super::relation::{Relation, TableName, TableSpec};
use super::resolve::resolve;
use kiln_core::error::{DatabaseErrorKind, Error, Result};

/// The tables and views of points in a database.
#[derive(Debug, Default)]
pub struct Discovery {
    /// Supported tables and views, each with a name for its layer.
    pub found: Vec<(String, Relation)>,
    /// Unsupported ones.
    pub skipped: Vec<Skipped>,
}

/// An unsupported table or view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The table, and the column if there are several.
    pub label: String,
    /// The reason.
    pub reason: String,
}

struct Candidate {
    table: TableName,
    column: String,
    may_read: bool,
}

impl Database {
    /// Finds tables and views of points, ordered by name.
    ///
    /// # Errors
    /// [`Error::Database`] if the catalog cannot be read, or PostGIS is not installed. A table that cannot be read is skipped with the reason.
    pub fn discover(&self) -> Result<Discovery> {
        self.require_postgis()?;
        self.run(None, |mut connection| async move {
            let sql = "SELECT n.nspname::text, c.relname::text, a.attname::text, \
                       has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT') \
                       FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
                       JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid \
                       WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND NOT c.relispartition \
                       AND t.typname IN ('geometry', 'geography') AND a.attnum > 0 AND NOT a.attisdropped \
                       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tiger', 'topology') \
                       AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2, a.attnum";
            let candidates = all(&mut connection, sql, &[], |row| {
                let table = TableName { schema: row.try_get(0)?, name: row.try_get(1)? };
                Ok(Candidate { table, column: row.try_get(2)?, may_read: row.try_get(3)? })
            });
            let candidates = candidates.await?;
            let mut discovery = Discovery::default();
            for Candidate { table, column, may_read } in &candidates {
                let is_only = candidates.iter().filter(|other| other.table == *table).count() == 1;
                let label = if is_only { table.to_string() } else { format!("{table}.{column}") };
                let mut skip = |reason: String| {
                    discovery.skipped.push(Skipped { label: label.clone(), reason });
                };
                if !may_read {
                    skip("missing privilege; the owner of the table can grant it with GRANT SELECT".into());
                    continue;
                }
                let quoted = [&table.schema, &table.name].map(|name| super::quote::identifier(name)).join(".");
                let spec = TableSpec { table: Some(quoted), geometry: Some(column.clone()), ..TableSpec::default() };
                match resolve(&mut connection, &label, &spec).await {
                    Ok(Ok(relation)) => {
                        let base = if table.schema == "public" {
                            table.name.clone()
                        } else {
                            format!("{}-{}", table.schema, table.name)
                        };
                        let name = if is_only { base } else { format!("{base}-{column}") };
                        discovery.found.push((name, relation));
                    }
                    Ok(Err(reason)) => skip(reason),
                    // The other tables may be readable.
                    Err(Error::Database { kind, message, .. }) if kind != DatabaseErrorKind::Unreachable => {
                        skip(message);
                    }
                    Err(error) => return Err(error),
                }
            }
            Ok(discovery)
        })
    }

    /// Resolves a specification; `label` is the name in messages.
    ///
    /// # Errors
    /// [`Error::Input`] if it does not select points; [`Error::Database`] for errors of the database, and if rows with
    /// positions are selected and PostGIS is not installed.
    pub fn relation(&self, label: &str, spec: &TableSpec) -> Result<Relation> {
        if spec.has_positions() {
            self.require_postgis()?;
        }
        let (label, spec) = (label.to_owned(), spec.clone());
        self.run(None, move |mut connection| async move {
            resolve(&mut connection, &label, &spec).await?.map_err(|reason| Error::input(&label, reason))
        })
    }
}
