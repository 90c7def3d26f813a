//! The keys of the configuration.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use super::rate::TokenBucket;
use super::secret::digest_of;
use crate::config::{Config, KeyConfig, KeyViews, Right};
use crate::error::{Error, Result};
use crate::http::server::clock::now_s;
use crate::layer::View;
use crate::source::CoordinateSpace;

/// What a client with a key may see and do.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) name: String,
    digest: Option<[u8; 32]>,
    /// The layers that the client may use; empty: all.
    layers: Vec<String>,
    rights: Vec<Right>,
    expires_s: Option<u64>,
    /// The origins of the pages that may use the key; empty: all, and clients without a page.
    origins: Vec<String>,
    bucket: Option<TokenBucket>,
    views: KeyViews,
}

impl Key {
    fn new(name: &str, config: &KeyConfig) -> Result<Self> {
        let views = config.views().map_err(|error| match error {
            Error::Config { location, message } => Error::config(format!("keys.{name}.{location}"), message),
            other => other,
        })?;
        let bucket = config.rate.map(|rate| TokenBucket::new(rate, config.burst(), Instant::now()));
        Ok(Self {
            name: name.to_owned(),
            digest: config.digest(),
            layers: config.layers.clone(),
            rights: config.rights.clone(),
            expires_s: config.expires_s(),
            origins: config.origins.clone(),
            bucket,
            views,
        })
    }

    /// Whether it is the key of requests without a key.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.name == KeyConfig::ANONYMOUS
    }

    /// Whether the client has a right.
    pub(crate) fn may(&self, right: Right) -> bool {
        self.rights.contains(&right)
    }

    /// The rights of the client.
    pub(crate) fn rights(&self) -> &[Right] {
        &self.rights
    }

    /// The layers that the client may use; empty: all.
    pub(crate) fn layers(&self) -> &[String] {
        &self.layers
    }

    /// The origins of the pages that may use the key; empty: all, and clients without a page.
    pub(crate) fn origins(&self) -> &[String] {
        &self.origins
    }

    /// The Unix time at which the key expires.
    pub(crate) fn expires_s(&self) -> Option<u64> {
        self.expires_s
    }

    /// Whether the client may use the layer `name`, whether or not there is one.
    pub(crate) fn sees(&self, name: &str) -> bool {
        self.layers.is_empty() || self.layers.iter().any(|layer| layer == name)
    }

    /// Whether the client may use every layer.
    pub(crate) fn sees_all_layers(&self) -> bool {
        self.layers.is_empty()
    }

    /// What the client sees of a layer in a coordinate space; `None`: nothing.
    pub(crate) fn view(&self, space: CoordinateSpace) -> Option<&View> {
        self.views.of_space(space)
    }

    /// Whether the key is invalid at `now_s`.
    pub(super) fn has_expired(&self, now_s: u64) -> bool {
        self.expires_s.is_some_and(|expires_s| expires_s <= now_s)
    }

    /// Whether pages of `origin` may use the key; `None` is a client without a page.
    pub(super) fn allows_origin(&self, origin: Option<&str>) -> bool {
        let is_listed = |origin: &str| self.origins.iter().any(|listed| listed == "*" || listed == origin);
        self.origins.is_empty() || origin.is_some_and(is_listed)
    }

    /// Takes a request from the rate; if it is used up, returns the time until the next one.
    pub(super) fn take(&self) -> std::result::Result<(), std::time::Duration> {
        self.bucket.as_ref().map_or(Ok(()), |bucket| bucket.take(Instant::now()))
    }
}

/// The keys of a configuration.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// By the hash of the secret. The time of a search says nothing of the secrets: their hashes cannot be chosen.
    by_digest: HashMap<[u8; 32], Arc<Key>>,
    by_name: HashMap<String, Arc<Key>>,
    signing_secret: Option<crate::config::Token>,
}

impl Keys {
    fn new(config: &Config) -> Result<Self> {
        let mut keys = Self { signing_secret: config.server.signing_secret.clone(), ..Self::default() };
        for (name, key) in &config.keys {
            let key = Arc::new(Key::new(name, key)?);
            if let Some(other) = key.digest.and_then(|digest| keys.by_digest.insert(digest, Arc::clone(&key))) {
                let message = format!("the key `{}` has the same secret; `kiln key new` makes another", other.name);
                return Err(Error::config(format!("keys.{name}.hash"), message));
            }
            keys.by_name.insert(name.clone(), key);
        }
        Ok(keys)
    }

    /// Whether there are no keys, so that everybody may read.
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// The key with a secret.
    pub(super) fn with_secret(&self, secret: &str) -> Option<&Arc<Key>> {
        let digest = digest_of(secret);
        let key = self.by_digest.get(&digest)?;
        key.digest.is_some_and(|known| is_same(&known, &digest)).then_some(key)
    }

    /// The key `name`.
    pub(super) fn named(&self, name: &str) -> Option<&Arc<Key>> {
        self.by_name.get(name)
    }

    /// The key of requests without a key.
    pub(super) fn anonymous(&self) -> Option<&Arc<Key>> {
        self.named(KeyConfig::ANONYMOUS)
    }

    /// The secret of signed URLs.
    pub(super) fn signing_secret(&self) -> Option<&str> {
        self.signing_secret.as_ref().map(crate::config::Token::reveal)
    }

    /// Whether a key lists `origin`.
    fn lists_origin(&self, origin: &str) -> bool {
        self.by_name.values().any(|key| !key.origins.is_empty() && key.allows_origin(Some(origin)))
    }
}

/// Compares hashes in a time that does not depend on the position of a difference.
fn is_same(one: &[u8; 32], other: &[u8; 32]) -> bool {
    let different =
        one.iter().zip(other).fold(0, |different, (one, other)| std::hint::black_box(different | (one ^ other)));
    std::hint::black_box(different) == 0
}

/// Checks the keys of a configuration as a server does when it starts.
///
/// # Errors
/// If the keys of a configuration cannot be used together, or a file of theirs cannot be read.
pub fn check_keys(config: &Config) -> Result<()> {
    Keys::new(config).map(drop)
}

/// The current keys, which change when the configuration is read again.
#[derive(Debug, Default)]
pub(crate) struct KeyRing(RwLock<Arc<Keys>>);

impl KeyRing {
    /// The keys of a configuration.
    ///
    /// # Errors
    /// [`Error::Config`] if a filter is invalid, or two keys have the same secret.
    pub(crate) fn new(config: &Config) -> Result<Self> {
        Ok(Self(RwLock::new(Arc::new(Keys::new(config)?))))
    }

    /// Replaces the keys, and returns their number. After an error, the previous ones stay.
    ///
    /// # Errors
    /// As [`new`](Self::new), and if the configuration has no keys although there are some: its file may be missing, or
    /// an editor may have truncated it before it writes, and everybody could read.
    pub(crate) fn replace(&self, config: &Config) -> Result<usize> {
        let keys = Arc::new(Keys::new(config)?);
        if keys.is_empty() && self.has_keys() {
            let message = "the configuration has no keys, so that everybody could read all layers; restart the server to \
                           open it, or restore the file";
            return Err(Error::config("keys", message));
        }
        let count = keys.by_name.len();
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = keys;
        Ok(count)
    }

    /// The current keys.
    pub(super) fn current(&self) -> Arc<Keys> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there are keys.
    pub(crate) fn has_keys(&self) -> bool {
        !self.0.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Whether pages of `origin` may read responses, because a key lists it.
    pub(crate) fn lists_origin(&self, origin: &str) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).lists_origin(origin)
    }

    /// The secret of signed URLs.
    pub(crate) fn signing_secret(&self) -> Option<String> {
        self.current().signing_secret().map(str::to_owned)
    }

    /// The keys with a name that are valid, by name.
    pub(crate) fn valid(&self) -> Vec<Arc<Key>> {
        let now_s = now_s();
        let current = self.current();
        let is_valid = |key: &&Arc<Key>| !key.is_anonymous() && !key.has_expired(now_s);
        let mut keys: Vec<Arc<Key>> = current.by_name.values().filter(is_valid).cloned().collect();
        keys.sort_by(|one, other| one.name.cmp(&other.name));
        keys
    }

    /// The key `name`.
    pub(crate) fn named(&self, name: &str) -> Option<Arc<Key>> {
        self.current().named(name).cloned()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use std::path::Path;

    use super::super::Secret;
    use super::*;

    pub(crate) fn keys(text: &str) -> Result<Keys> {
        Keys::new(&Config::from_toml(Path::new("kiln.toml"), text)?)
    }

    #[test]
    fn a_key_is_found_by_its_secret_alone() {
        let (one, other) = (Secret::new().unwrap(), Secret::new().unwrap());
        let keys = keys(&format!(
            "[keys.a]\nhash = \"{}\"\nlayers = [\"x\"]\n[keys.b]\nhash = \"{}\"\n",
            one.hash(),
            other.hash()
        ));
        let keys = keys.unwrap();
        assert_eq!(keys.with_secret(one.reveal()).unwrap().name, "a");
        assert_eq!(keys.with_secret(other.reveal()).unwrap().name, "b");
        for wrong in ["", "a", &one.hash(), &one.reveal()[1..], &one.reveal().to_uppercase()] {
            assert!(keys.with_secret(wrong).is_none(), "{wrong}");
        }
        let key = keys.named("a").unwrap();
        assert!(key.sees("x") && !key.sees("y") && key.may(Right::Read) && !key.may(Right::Write));
        assert!(!format!("{keys:?}").contains(one.reveal()));
    }

    #[test]
    fn keys_are_never_replaced_by_none() {
        let config = |text: &str| Config::from_toml(Path::new("kiln.toml"), text).unwrap();
        let with_key = config(&format!("[keys.a]\nhash = \"{}\"\n", Secret::new().unwrap().hash()));
        let ring = KeyRing::new(&config("")).unwrap();
        assert_eq!(ring.replace(&config("")).unwrap(), 0);
        assert_eq!(ring.replace(&with_key).unwrap(), 1);
        for without in ["", "# empty", "[server]\ntoken = \"t\"\n"] {
            let error = ring.replace(&config(without)).unwrap_err().to_string();
            assert!(error.contains("restart") && ring.has_keys() && ring.named("a").is_some(), "{error}");
        }
    }

    #[test]
    fn two_keys_with_the_same_secret_are_an_error() {
        let hash = Secret::new().unwrap().hash();
        let error = keys(&format!("[keys.a]\nhash = \"{hash}\"\n[keys.b]\nhash = \"{hash}\"\n")).unwrap_err();
        assert!(error.to_string().contains("same secret"), "{error}");
    }

    #[test]
    fn origins_and_expiry_limit_a_key() {
        let hash = Secret::new().unwrap().hash();
        let text =
            format!("[keys.a]\nhash = \"{hash}\"\norigins = [\"https://a.example\"]\nexpires = \"2024-05-01\"\n");
        let keys = keys(&text).unwrap();
        let key = keys.named("a").unwrap();
        assert!(key.allows_origin(Some("https://a.example")) && keys.lists_origin("https://a.example"));
        for other in [None, Some("https://b.example"), Some("null"), Some("https://a.example.evil")] {
            assert!(!key.allows_origin(other), "{other:?}");
        }
        // 2024-05-01 is 1714521600.
        assert!(!key.has_expired(1_714_521_599) && key.has_expired(1_714_521_600));
    }
}
