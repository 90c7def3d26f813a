//! Statements with parameters.

use bytes::{BufMut, BytesMut};
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

/// A value of a statement's parameter.
pub(super) type Value = Box<dyn ToSql + Sync + Send>;

/// A statement under construction. Values are never part of its text.
#[derive(Default)]
pub(super) struct Sql {
    pub(super) text: String,
    pub(super) values: Vec<Value>,
}

impl Sql {
    /// Appends trusted text: constants, and quoted identifiers of the catalog.
    pub(super) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Appends a parameter of the SQL type `kind`.
    pub(super) fn value(&mut self, value: impl ToSql + Sync + Send + 'static, kind: &str) -> &mut Self {
        self.values.push(Box::new(value));
        let number = self.values.len().to_string();
        self.text.extend(["$", &number, "::", kind]);
        self
    }
}

type Boxed = Box<dyn std::error::Error + Sync + Send>;

/// An instant in microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instant(pub(super) i64);

/// 2000-01-01, the epoch of the server's timestamps.
const EPOCH_US: i64 = 946_684_800_000_000;

impl ToSql for Instant {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Boxed> {
        // The minimum and the maximum of `i64` encode the infinities.
        out.put_i64(self.0.saturating_sub(EPOCH_US));
        Ok(IsNull::No)
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::TIMESTAMP | Type::TIMESTAMPTZ)
    }

    to_sql_checked!();
}

impl FromSql<'_> for Instant {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, Boxed> {
        Ok(Self(instant_us(raw).ok_or("not an instant")?))
    }

    fn accepts(kind: &Type) -> bool {
        matches!(*kind, Type::TIMESTAMP | Type::TIMESTAMPTZ)
    }
}

/// Decodes a binary timestamp to microseconds since 1970; [`i64::MIN`] for the infinities.
pub(super) fn instant_us(raw: &[u8]) -> Option<i64> {
    match i64::from_be_bytes(raw.try_into().ok()?) {
        i64::MIN | i64::MAX => Some(i64::MIN),
        us => Some(us.saturating_add(EPOCH_US)),
    }
}
