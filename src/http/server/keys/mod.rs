//! Keys: who may read and change what.
//!
//! `authenticate` is the middleware: it decides by the [`rule`](rules) of the route and the credentials of the request
//! what [`Access`] the request has, and handlers find layers through their [`Session`](super::session::Session) only,
//! which has that access.

mod access;
mod authenticate;
mod carried;
mod credentials;
mod key;
mod rate;
mod rules;
mod secret;
mod signature;

pub(crate) use access::Access;
pub(super) use authenticate::{KeyName, authenticate};
pub(crate) use carried::Carried;
#[cfg(test)]
pub(super) use credentials::NAMES as CREDENTIALS;
pub(super) use credentials::take_credentials;
pub use key::check_keys;
pub(crate) use key::{Key, KeyRing};
pub use secret::Secret;
pub use signature::{Signed, SigningError};
