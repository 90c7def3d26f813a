//! Which tables and views of a database hold points.

use super::database::{Database, all};
use super::relation::{Relation, TableName, TableSpec};
use super::resolve::resolve;
use kiln_core::error::{DatabaseFault, Error, Result};

/// What was found in a database.
#[derive(Debug, Default)]
pub struct Discovery {
    /// Tables and views of points, each with the name that it may have as a layer.
    pub found: Vec<(String, Relation)>,
    /// Those that are left out.
    pub skipped: Vec<Skipped>,
}

/// A table or view that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The table, and the column if there are several.
    pub label: String,
    /// Why it is left out.
    pub reason: String,
}

struct Candidate {
    table: TableName,
    column: String,
    may_read: bool,
}

impl Database {
    /// Looks for tables and views of points, in the order of their names.
    ///
    /// # Errors
    /// [`Error::Database`] if the catalog cannot be read. What is wrong with a single table is told in what is skipped.
    pub fn discover(&self) -> Result<Discovery> {
        self.run(None, |mut lease| async move {
            let sql = "SELECT n.nspname::text, c.relname::text, a.attname::text, \
                       has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT') \
                       FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
                       JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid \
                       WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND NOT c.relispartition \
                       AND t.typname IN ('geometry', 'geography') AND a.attnum > 0 AND NOT a.attisdropped \
                       AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'tiger', 'topology') \
                       AND n.nspname NOT LIKE 'pg\\_%' ORDER BY 1, 2, a.attnum";
            let candidates = all(&mut lease, sql, &[], |row| {
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
                    skip("we may not read it; its owner lets us with GRANT SELECT".into());
                    continue;
                }
                let quoted = [&table.schema, &table.name].map(|name| super::quote::identifier(name)).join(".");
                let spec = TableSpec { table: Some(quoted), geometry: Some(column.clone()), ..TableSpec::default() };
                match resolve(&mut lease, &label, &spec).await {
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
                    // One table that cannot be looked at is no reason to leave out the others.
                    Err(Error::Database { fault, message, .. }) if fault != DatabaseFault::Unreachable => skip(message),
                    Err(error) => return Err(error),
                }
            }
            Ok(discovery)
        })
    }

    /// The rows that a spec means; `label` is what messages call them.
    ///
    /// # Errors
    /// [`Error::Input`] if they are no points; [`Error::Database`] if the database says so.
    pub fn relation(&self, label: &str, spec: &TableSpec) -> Result<Relation> {
        let (label, spec) = (label.to_owned(), spec.clone());
        self.run(None, move |mut lease| async move {
            resolve(&mut lease, &label, &spec).await?.map_err(|unfit| Error::input(&label, unfit))
        })
    }
}
