//! Where a database is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tokio_postgres::config::{Host, SslMode};

use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

/// How sure a connection is to be of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// Encrypted or not, whoever answers.
    Anybody,
    /// The server's certificate is issued by one of these authorities, or by one that this machine trusts, and is for its
    /// name.
    Verified { authorities: Option<PathBuf> },
}

/// Where a database is, and who asks: `postgres://user:password@host:5432/name`.
///
/// Of the parameters behind `?`, `sslmode` is `disable`, `prefer` (the default), `require`, `verify-ca` or `verify-full`;
/// the last two hold the server's certificate against the file that `sslrootcert` names, or against the authorities that this
/// machine trusts. `table` is the one table that is meant. It is shown without the password.
#[derive(Clone)]
pub struct Address {
    pub(super) config: tokio_postgres::Config,
    pub(super) trust: Trust,
    table: Option<String>,
}

impl Address {
    /// Whether a text is meant as the address of a database.
    pub fn is_meant(text: &str) -> bool {
        ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme))
    }

    /// The text of an address, without the password that may be in it.
    pub fn without_password(text: &str) -> String {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let (scheme, rest) = base.split_once("://").unwrap_or(("postgres", base));
        let (user, place) = rest.rsplit_once('@').unwrap_or(("", rest));
        let user = user.split(':').next().filter(|user| !user.is_empty()).map(|user| format!("{user}@"));
        let query: Vec<&str> =
            query.split('&').filter(|pair| !pair.is_empty() && !pair.starts_with("password=")).collect();
        let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
        format!("{scheme}://{}{place}{query}", user.unwrap_or_default())
    }

    /// The table that is meant, as `schema.table` or `table`, if one is named.
    pub fn table(&self) -> Option<&str> {
        self.table.as_deref()
    }
}

impl FromStr for Address {
    type Err = Error;

    /// Reads the address of a database.
    ///
    /// # Errors
    /// [`Error::Invalid`] if it is none. The message does not repeat the text: a password may be in it.
    fn from_str(text: &str) -> Result<Self> {
        let refused = |why: String| Error::invalid(Parameter::DATABASE, why);
        if !Self::is_meant(text) {
            return Err(refused("not an address such as postgres://user@host/name".into()));
        }
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut table, mut mode, mut authorities, mut others) = (None, None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "table" => table = Some(decoded(value).ok_or_else(|| refused("its table is not UTF-8".into()))?),
                "sslmode" => mode = Some(value.to_owned()),
                "sslrootcert" => {
                    let path = decoded(value).ok_or_else(|| refused("its sslrootcert is not UTF-8".into()))?;
                    authorities = Some(PathBuf::from(path));
                }
                _ => others.push(pair),
            }
        }
        let plain = if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) };
        let why = "not an address such as postgres://user:password@host:5432/name, with % signs before what is special in \
                   the password";
        let mut config: tokio_postgres::Config = plain.parse().map_err(|_| refused(why.into()))?;
        let verified = |authorities| (SslMode::Require, Trust::Verified { authorities });
        let (ssl, trust) = match mode.as_deref() {
            Some("disable") => (SslMode::Disable, Trust::Anybody),
            None | Some("prefer" | "allow") => (SslMode::Prefer, Trust::Anybody),
            Some("require") => (SslMode::Require, Trust::Anybody),
            Some("verify-ca" | "verify-full") => verified(authorities),
            Some(_) => {
                return Err(refused("sslmode is disable, prefer, require, verify-ca or verify-full".into()));
            }
        };
        config.ssl_mode(ssl).application_name("kiln");
        Ok(Self { config, trust, table })
    }
}

/// A part of an address with its `%` signs resolved.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, behind)) = rest.split_first() {
        let hex = behind.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        if let Some(meant) = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| byte == b'%') {
            bytes.push(meant);
            rest = &behind[2..];
        } else {
            bytes.push(byte);
            rest = behind;
        }
    }
    String::from_utf8(bytes).ok()
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
    fn an_address_is_shown_without_its_password() {
        let address: Address =
            "postgres://ann:s3cret%40x@db.example:5433/maps?sslmode=verify-full&table=a.b%20c&connect_timeout=3"
                .parse()
                .unwrap();
        assert_eq!(address.to_string(), "postgres://ann@db.example:5433/maps");
        assert_eq!(format!("{address:?}"), address.to_string());
        assert_eq!(address.table(), Some("a.b c"));
        assert_eq!(address.trust, Trust::Verified { authorities: None });
        assert_eq!(address.config.get_password(), Some(&b"s3cret@x"[..]));
    }

    #[test]
    fn the_text_of_an_address_loses_its_password_and_nothing_else() {
        for (text, shown) in [
            ("postgres://ann:s3cret@h:5432/d?table=a.b&password=x", "postgres://ann@h:5432/d?table=a.b"),
            ("postgresql://ann@h/d?sslmode=require", "postgresql://ann@h/d?sslmode=require"),
            ("postgres://h/d", "postgres://h/d"),
            ("postgres://:s3cret@h/d", "postgres://h/d"),
        ] {
            assert_eq!(Address::without_password(text), shown);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for bad in ["mysql://a:s3cret@h/d", "postgres://a:s3cret@h:port/d", "postgres://a:s3cret@h/d?sslmode=maybe"] {
            let error = bad.parse::<Address>().unwrap_err();
            assert!(error.is_usage() && !error.to_string().contains("s3cret"), "{error}");
        }
    }
}
