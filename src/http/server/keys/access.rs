//! The access of a request.

use std::sync::Arc;

use super::carried::Carried;
use super::key::Key;
use super::signature::Signed;

/// Who sent a request, and what they may use.
#[derive(Clone, Debug)]
pub(crate) enum Access {
    /// The server has no keys: everybody may read, and writes need the server's token.
    NoKeys,
    /// The owner of the server, who sent its token.
    Owner,
    /// A client with a key.
    Key(Arc<KeyAccess>),
    /// Nobody: a request of a route that needs no key.
    Nobody,
}

/// The access by a key.
#[derive(Debug)]
pub(crate) struct KeyAccess {
    pub(super) key: Arc<Key>,
    /// The signed URL, if the request has one in place of a secret.
    pub(super) signed: Option<Signed>,
    /// What URLs in the response carry on.
    pub(super) carried: Option<Carried>,
}

impl Access {
    /// The key of the request.
    pub(crate) fn key(&self) -> Option<&Key> {
        match self {
            Self::Key(access) => Some(&access.key),
            Self::NoKeys | Self::Owner | Self::Nobody => None,
        }
    }

    /// Whether the request has a signed URL in place of a secret.
    pub(crate) fn is_signed(&self) -> bool {
        matches!(self, Self::Key(access) if access.signed.is_some())
    }

    /// Whether the request is not limited to a part of the layers.
    pub(crate) fn is_unlimited(&self) -> bool {
        matches!(self, Self::NoKeys | Self::Owner)
    }

    /// Whether the request may use the layer `name`, whether or not there is one.
    pub(crate) fn sees(&self, name: &str) -> bool {
        match self {
            Self::NoKeys | Self::Owner => true,
            Self::Key(access) => access.key.sees(name),
            Self::Nobody => false,
        }
    }

    /// What URLs in the response carry on.
    pub(crate) fn carried(&self) -> Option<&Carried> {
        match self {
            Self::Key(access) => access.carried.as_ref(),
            Self::NoKeys | Self::Owner | Self::Nobody => None,
        }
    }
}
