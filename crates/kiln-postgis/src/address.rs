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
        if !has_plain_credentials(base, query) {
            return Err(invalid(NOT_ENCODED.into()));
        }
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
        // A URL that is percent-encoded as a whole has its password in the host.
        if config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(name) if name.contains(['@', '/']))) {
            return Err(invalid(NOT_ENCODED.into()));
        }
        config.ssl_mode(ssl).application_name("kiln");
        Ok(Self { config, verification, table })
    }
}

const NOT_ENCODED: &str = "the URL has an @ that does not end the password; percent-encode special characters in the user \
                           and the password: %40 for @, %2F for /, %3F for ?, %23 for #, %22 for \"";

/// Whether the parts of a URL before and after its `?` have at most one `@`, that before the host.
///
/// With several of them, drivers disagree where the password ends, and the rest of it would be the host, which messages
/// contain. A `?` in a password moves the `@` into the parameters.
fn has_plain_credentials(base: &str, query: &str) -> bool {
    let authority = base.split_once("://").map_or(base, |(_, rest)| rest);
    match authority.matches('@').count() {
        0 => !(query.contains('@') && authority.contains(':')),
        count => count == 1,
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
            assert_eq!(
                (address.to_string(), address.config.get_dbname()),
                ("postgres://ann@h:5432/d".into(), Some("d"))
            );
        }
        for file in
            ["postgres.csv", "postgresql/points.csv", "postgres-2024.csv", "./postgres:a.csv", "a.csv", "pöstgres"]
        {
            assert!(!Address::is_database_url(file), "{file}");
        }
    }

    #[test]
    fn special_characters_in_a_password_are_printed_neither_raw_nor_encoded() {
        const SPECIAL: [&str; 14] = ["@", "/", "\"", "'", "`", "?", "#", ":", "%", " ", "[", "&", ",", "\\"];
        let passwords = SPECIAL.iter().flat_map(|first| {
            SPECIAL.iter().flat_map(move |second| {
                [
                    format!("hun{first}s3cret{second}s3cret"),
                    format!("{first}s3cret{second}"),
                    format!("1{first}2{second}s3cret"),
                ]
            })
        });
        for password in passwords {
            for host in ["h:5432/d", "h", "[::1]:1/d?table=a", "h/d?sslmode=disable"] {
                let text = format!("postgres://ann:{password}@{host}");
                let printed = match text.parse::<Address>() {
                    Ok(address) => address.to_string(),
                    Err(error) => {
                        assert!(error.is_usage(), "{text}: {error}");
                        error.to_string()
                    }
                };
                assert!(!printed.contains("s3cret"), "{text}: {printed}");
            }
            let encoded = password.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
            let address: Address = format!("postgres://ann:{encoded}@h/d").parse().unwrap();
            assert_eq!(
                (address.config.get_password(), address.to_string()),
                (Some(password.as_bytes()), "postgres://ann@h:5432/d".into())
            );
        }
        for text in [
            "postgres://ann:hun@s3cret@127.0.0.1:1/x",
            "postgres://ann:a@b@s3cret@h/x",
            "postgres://ann:hu/n@s3cret@h/x",
            "postgres://ann:hu\"n@s3cret@h/x",
            "postgres://ann:12?s3cret@h/x",
            "postgres://ann%3As3cret%40h/x",
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains("%40") && !error.contains("s3cret"), "{text}: {error}");
        }
        assert!("postgres://ann:pw@h/d?table=a@b".parse::<Address>().is_ok());
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
