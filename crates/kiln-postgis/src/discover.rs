//! Discovery of tables and views of points.

use std::sync::Arc;

use super::database::{Database, all};
use super::pool::PooledConnection;
use super::relation::{Relation, TableName, TableSpec};
use super::resolve::resolve;
use kiln_core::error::{DatabaseErrorKind, Error, Result};

/// The tables and views of points in a database.
#[derive(Debug, Default)]
pub struct Discovery {
    /// Supported tables and views.
    pub found: Vec<Discovered>,
    /// Unsupported ones.
    pub skipped: Vec<Skipped>,
}

/// A supported table or view.
#[derive(Clone, Debug)]
pub struct Discovered {
    /// A name for its layer.
    pub name: String,
    /// The specification that selects it.
    pub spec: TableSpec,
    /// Its columns.
    pub relation: Relation,
}

/// An unsupported table or view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The table, and the column if there are several.
    pub label: String,
    /// The reason.
    pub reason: String,
}

/// A column of geometries.
struct Candidate {
    name: String,
    label: String,
    spec: TableSpec,
    may_read: bool,
}

/// The columns of geometries, ordered by name.
async fn candidates(connection: &mut PooledConnection) -> Result<Vec<Candidate>> {
    let sql = "SELECT n.nspname::text, c.relname::text, a.attname::text, \
               has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT') \
               FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
               JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid \
               WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND NOT c.relispartition \
               AND t.typname IN ('geometry', 'geography') AND a.attnum > 0 AND NOT a.attisdropped \
               AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tiger', 'topology') \
               AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2, a.attnum";
    let found = all(connection, sql, &[], |row| {
        let table = TableName { schema: row.try_get(0)?, name: row.try_get(1)? };
        Ok((table, row.try_get::<_, String>(2)?, row.try_get(3)?))
    });
    let found = found.await?;
    let candidate = |(table, column, may_read): &(TableName, String, bool)| {
        let is_only = found.iter().filter(|(other, ..)| other == table).count() == 1;
        let base =
            if table.schema == "public" { table.name.clone() } else { format!("{}-{}", table.schema, table.name) };
        let quoted = [&table.schema, &table.name].map(|name| super::quote::identifier(name)).join(".");
        Candidate {
            name: if is_only { base } else { format!("{base}-{column}") },
            label: if is_only { table.to_string() } else { format!("{table}.{column}") },
            spec: TableSpec { table: Some(quoted), geometry: Some(column.clone()), ..TableSpec::default() },
            may_read: *may_read,
        }
    };
    Ok(found.iter().map(candidate).collect())
}

impl Database {
    /// Finds tables and views of points, ordered by name. They are resolved side by side, so that a locked one does not
    /// delay the others.
    ///
    /// # Errors
    /// [`Error::Database`] if the catalog cannot be read, or PostGIS is not installed. A table that cannot be read is
    /// skipped with the reason.
    pub fn discover(self: &Arc<Self>) -> Result<Discovery> {
        self.require_postgis()?;
        let database = Arc::clone(self);
        self.wait(None, async move {
            let candidates = database.look(|mut connection| async move { candidates(&mut connection).await }).await?;
            let resolutions: Vec<_> = candidates
                .into_iter()
                .map(|candidate| {
                    let database = Arc::clone(&database);
                    tokio::spawn(async move {
                        let Candidate { label, spec, may_read, .. } = &candidate;
                        let outcome = if *may_read {
                            let resolved = database
                                .look(|mut connection| async move { resolve(&mut connection, label, spec).await });
                            resolved.await
                        } else {
                            let reason = "missing privilege; the owner of the table can grant it with GRANT SELECT";
                            Ok(Err(reason.to_owned()))
                        };
                        (candidate, outcome)
                    })
                })
                .collect();
            let mut discovery = Discovery::default();
            for resolution in resolutions {
                let Ok((Candidate { name, label, spec, .. }, outcome)) = resolution.await else { continue };
                match outcome {
                    Ok(Ok(relation)) => discovery.found.push(Discovered { name, spec, relation }),
                    Ok(Err(reason)) => discovery.skipped.push(Skipped { label, reason }),
                    // The other tables may be readable.
                    Err(Error::Database { kind, message, .. }) if kind != DatabaseErrorKind::Unreachable => {
                        discovery.skipped.push(Skipped { label, reason: message });
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
    pub fn relation(self: &Arc<Self>, label: &str, spec: &TableSpec) -> Result<Relation> {
        if spec.has_positions() {
            self.require_postgis()?;
        }
        let (database, label, spec) = (Arc::clone(self), label.to_owned(), spec.clone());
        self.wait(None, async move {
            let resolved = database.look(|mut connection| {
                let (label, spec) = (&label, &spec);
                async move { resolve(&mut connection, label, spec).await }
            });
            resolved.await?.map_err(|reason| Error::input(&label, reason))
        })
    }
}
