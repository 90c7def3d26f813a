//! The result of a check.

use std::io::Write;

use serde::Serialize;

use super::super::console::describe;
use super::super::visible::visible;
use crate::error::{Error, Result};
use crate::redact::without_passwords;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Level {
    /// The check has passed.
    Ok,
    /// A server runs, but not as it should.
    Warning,
    /// A server does not start, or does not serve all layers.
    Error,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The subject, such as `store`.
    pub(super) check: &'static str,
    pub(super) level: Level,
    /// What was found.
    pub(super) detail: String,
    /// The remedy; `None` if the check has passed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

impl Finding {
    /// A check that has passed.
    pub(super) fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, level: Level::Ok, detail: detail.into(), remedy: None }
    }

    /// A check with a remark.
    pub(super) fn warning(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: Level::Warning, detail: detail.into(), remedy: Some(remedy.into()) }
    }

    /// A check that has failed.
    pub(super) fn error(check: &'static str, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { check, level: Level::Error, detail: detail.into(), remedy: Some(remedy.into()) }
    }

    /// A check that has failed with an error.
    pub(super) fn of_error(check: &'static str, error: &Error, remedy: impl Into<String>) -> Self {
        Self::error(check, without_passwords(&describe(error)).into_owned(), remedy)
    }
}

/// Prints findings as lines: level, subject and detail, and below it the remedy.
pub(super) fn print_findings(findings: &[Finding]) -> Result<()> {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let mut out = std::io::stdout().lock();
    let mut print = || {
        for Finding { check, level, detail, remedy } in findings {
            let level = match level {
                Level::Ok => "ok",
                Level::Warning => "warning",
                Level::Error => "error",
            };
            writeln!(out, "{level:<7}  {check:<width$}  {}", visible(detail))?;
            if let Some(remedy) = remedy {
                writeln!(out, "{:7}  {:width$}  remedy: {}", "", "", visible(remedy))?;
            }
        }
        out.flush()
    };
    print().map_err(|error| Error::io("-", "write", error))
}
