//! Checks of the database.

use std::sync::Arc;

use super::finding::Finding;
use crate::cli::summary::plural;
use crate::config::Config;
use crate::error::Result;
use crate::live;
use crate::postgis::Database;

const CHECK: &str = "database";

/// Checks that the database can be reached, and finds its tables. Without a database there is no finding.
pub(super) fn check(config: &Config) -> Vec<Finding> {
    let remedy = "correct postgis.url or DATABASE_URL, and start the database";
    match live::open(config) {
        Ok(None) => Vec::new(),
        Ok(Some(database)) => tables(config, &database)
            .unwrap_or_else(|error| vec![Finding::of_error(CHECK, &error, "grant this user SELECT on the tables")]),
        Err(error) => vec![Finding::of_error(CHECK, &error, remedy)],
    }
}

/// The findings on the tables of a database.
fn tables(config: &Config, database: &Arc<Database>) -> Result<Vec<Finding>> {
    if !database.has_postgis()? {
        let remedy = "run CREATE EXTENSION postgis as its owner";
        return Ok(vec![Finding::error(CHECK, format!("{}: PostGIS is not installed", database.name()), remedy)]);
    }
    let count = live::tables(config, database)?.len() as u64;
    let mut findings = vec![Finding::ok(CHECK, format!("{}, {}", database.name(), plural(count, "table of points")))];
    if config.postgis.discover {
        for skipped in database.discover()?.skipped {
            let detail = format!("{}: {}", skipped.label, skipped.reason);
            findings.push(Finding::warning("tables", detail, "change the table, or set postgis.discover = false"));
        }
    }
    Ok(findings)
}
