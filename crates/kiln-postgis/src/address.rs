//! Database URLs.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use tokio_postgres::config::{Host, SslMode};

use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

/// How the certificate of a server is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verification {
    /// Any certificate is accepted.
    None,
    /// The certificate must match the server's name, and be issued by an authority in the PEM file or, without one, by
    /// an authority that the operating system trusts.
    Full { authorities: Option<PathBuf> },
}

/// The URL of a database: `postgres://user:password@host:5432/name`.
///
/// Of the parameters after `?`, `sslmode` is `disable`, `prefer` (the default), `require`, `verify-ca` or
/// `verify-full`; the last two verify the server's certificate by the authorities in the file `sslrootcert`, or by
/// those that the operating system trusts. `table` selects one table. [`Display`](fmt::Display) omits the password.
#[derive(Clone)]
pub struct Address {
    pub(super) config: tokio_postgres::Config,
    pub(super) verification: Verification,
    table: Option<String>,
}

impl Address {
    /// Whether a text is the URL of a database, or meant as one: the scheme may be in any case, and misspelled.
    pub fn is_database_url(text: &str) -> bool {
        after_scheme(text).is_some_and(|rest| [":", "//"].iter().any(|start| rest.starts_with(start)))
    }

    /// Selects a table, in place of that of the URL.
    #[must_use]
    pub fn with_table(self, table: String) -> Self {
        Self { table: Some(table), ..self }
    }

    /// The table that the URL selects, as `schema.table` or `table`.
    pub fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }
}

impl FromStr for Address {
    type Err = Error;

    /// Parses the URL of a database.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is invalid. The message does not repeat the text, which may contain a password.
    fn from_str(text: &str) -> Result<Self> {
        let invalid = |reason: String| Error::invalid(Parameter::DATABASE, reason);
        let Some(rest) = after_scheme(text).and_then(|rest| rest.strip_prefix("://")) else {
            return Err(invalid("not a database URL such as postgres://user@host/name".into()));
        };
        let text = &format!("postgres://{}", rest.trim_end());
        let decoded = |name: &str, value: &str| {
            percent_decoded(value).ok_or_else(|| invalid(format!("the value of {name} is not valid UTF-8")))
        };
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut table, mut mode, mut authorities, mut others) = (None, None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "table" => table = Some(decoded(name, value)?),
                "sslmode" => mode = Some(value.to_owned()),
                "sslrootcert" => authorities = Some(PathBuf::from(decoded(name, value)?)),
                _ => others.push(pair),
            }
        }
        let plain = if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) };
        let reason = "not a database URL such as postgres://user:password@host:5432/name, with special characters in \
                      the password percent-encoded";
        let mut config: tokio_postgres::Config = plain.parse().map_err(|_| invalid(reason.into()))?;
        let verified = |authorities| (SslMode::Require, Verification::Full { authorities });
        let (ssl, verification) = match mode.as_deref() {
            Some("disable") => (SslMode::Disable, Verification::None),
            None | Some("prefer" | "allow") => (SslMode::Prefer, Verification::None),
            Some("require") => (SslMode::Require, Verification::None),
            Some("verify-ca" | "verify-full") => verified(authorities),
            Some(_) => {
                return Err(invalid("sslmode must be disable, prefer, require, verify-ca or verify-full".into()));
            }
        };
        config.ssl_mode(ssl).application_name("kiln");
        Ok(Self { config, verification, table })
    }
}

/// The rest of a database URL after its scheme, which is `postgres` or `postgresql` in any case, and may name a driver as
/// those of `SQLAlchemy` do: `postgresql+psycopg`.
fn after_scheme(text: &str) -> Option<&str> {
    let text = text.trim_start();
    let starts_with = |scheme: &&str| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    let scheme = ["postgresql", "postgres"].into_iter().find(starts_with)?;
    let rest = &text[scheme.len()..];
    let Some(driver) = rest.strip_prefix('+') else { return Some(rest) };
    Some(driver.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_'))
}

/// A percent-decoded part of a URL; `None` if it is not UTF-8.
fn percent_decoded(text: &str) -> Option<String> {
    percent_decode_str(text).decode_utf8().ok().map(Cow::into_owned)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        match self.config.get_hosts().first() {
            Some(Host::Tcp(host)) => f.write_str(host)?,
            #[cfg(unix)]
            Some(Host::Unix(folder)) => write!(f, "{}", folder.display())?,
            None => f.write_str("localhost")?,
        }
        if let Some(port) = self.config.get_ports().first() {
            write!(f, ":{port}")?;
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_displayed_without_its_password() {
        let address: Address =
            "postgres://ann:s3cret%40x@db.example:5433/maps?sslmode=verify-full&table=a.b%20c&connect_timeout=3"
                .parse()
                .unwrap();
        assert_eq!(address.to_string(), "postgres://ann@db.example:5433/maps");
        assert_eq!(format!("{address:?}"), address.to_string());
        assert_eq!(address.table(), Some("a.b c"));
        assert_eq!(address.verification, Verification::Full { authorities: None });
        assert_eq!(address.config.get_password(), Some(&b"s3cret@x"[..]));
    }

    #[test]
    fn other_spellings_of_the_scheme_are_accepted() {
        for text in [
            "Postgres://ann:s3cret@h/d",
            "POSTGRESQL://ann:s3cret@h/d",
            " postgres://ann:s3cret@h/d\n",
            "postgresql+psycopg://ann:s3cret@h/d",
            "postgres+asyncpg://ann:s3cret@h/d",
            "postgresql+psycopg2://ann:s3cret@h/d",
        ] {
            assert!(Address::is_database_url(text), "{text}");
            let address: Address = text.parse().unwrap();
            assert_eq!((address.to_string(), address.config.get_dbname()), ("postgres://ann@h/d".into(), Some("d")));
        }
        for file in
            ["postgres.csv", "postgresql/points.csv", "postgres-2024.csv", "./postgres:a.csv", "a.csv", "pöstgres"]
        {
            assert!(!Address::is_database_url(file), "{file}");
        }
    }

    #[test]
    fn an_invalid_url_is_rejected_without_repeating_it() {
        for invalid in [
            "mysql://a:s3cret@h/d",
            "postgres//a:s3cret@h/d",
            "postgres:/a:s3cret@h/d",
            "postgres:a:s3cret@h/d",
            "postgresql+psycopg//a:s3cret@h/d",
            "postgres://a:s3cret@h:port/d",
            "postgres://a:s3cret@h/d?sslmode=maybe",
        ] {
            assert!(Address::is_database_url(invalid) || invalid.starts_with("mysql"), "{invalid}");
            let error = invalid.parse::<Address>().unwrap_err();
            assert!(error.is_usage() && !error.to_string().contains("s3cret"), "{error}");
        }
    }
}
