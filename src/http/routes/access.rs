//! Who sent a request, for the map page.

use serde::Serialize;
use utoipa::ToSchema;

use crate::config::Right;
use crate::http::server::keys::{Access, Key};
use crate::http::server::session::Session;

/// Who sent the request, on a server with keys.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct AccessReply {
    /// Name of the key; null for the owner of the server, who sends its token.
    #[schema(example = "tenant-a")]
    key: Option<String>,
    /// Rights of the key; empty for the owner, who has all.
    rights: Vec<&'static str>,
    /// Pages that may use the key; empty if it is not limited to pages.
    origins: Vec<String>,
    /// Unix time in seconds at which the key expires; null if it does not.
    expires_at: Option<u64>,
    /// Keys whose access URLs of `POST /sign` can have; empty if the client or the server cannot sign.
    signers: Vec<SignerReply>,
}

/// A key whose access signed URLs can have.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct SignerReply {
    /// Name of the key.
    #[schema(example = "tenant-a")]
    key: String,
    /// Layers of the key; empty: all.
    layers: Vec<String>,
}

impl AccessReply {
    /// Who sent a request; `None` on a server without keys, and for signed URLs, whose holders may not know about the key.
    pub(super) fn of(app: &Session) -> Option<Self> {
        let access = app.access();
        let key = match access {
            Access::NoKeys | Access::Nobody => return None,
            Access::Owner => None,
            Access::Key(_) if access.is_signed() => return None,
            Access::Key(_) => access.key(),
        };
        let signers = match key {
            _ if app.keys.signing_secret().is_none() => Vec::new(),
            None => app.keys.valid().iter().map(|key| SignerReply::of(key)).collect(),
            Some(key) if key.may(Right::Sign) && !key.is_anonymous() => vec![SignerReply::of(key)],
            Some(_) => Vec::new(),
        };
        Some(Self {
            key: key.map(|key| key.name.clone()),
            rights: key.map(|key| key.rights().iter().map(|right| right.name()).collect()).unwrap_or_default(),
            origins: key.map(|key| key.origins().to_vec()).unwrap_or_default(),
            expires_at: key.and_then(Key::expires_s),
            signers,
        })
    }
}

impl SignerReply {
    fn of(key: &Key) -> Self {
        Self { key: key.name.clone(), layers: key.layers().to_vec() }
    }
}
