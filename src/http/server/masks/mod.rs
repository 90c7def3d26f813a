//! Stored masks in the server: the folder, the cache, click subscriptions and webhooks.

mod background_source;
mod cache;
mod clicks;
mod event_stream;
mod metrics;
mod store;
mod webhooks;

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use clicks::{Click, ClickBroker};
pub(crate) use event_stream::EventStream;
pub(crate) use metrics::{MaskMetrics, WebhookOutcome};
pub(crate) use store::{UploadedImage, mask_problem, picture_key};
pub(crate) use webhooks::{WebhookQueue, run as run_webhooks};

use self::cache::MaskCache;
use super::outbound::{AllowedUrls, OutboundClient};
use super::problem::{HttpResult, Problem};
use crate::config::Config;
use crate::error::Result;
use crate::masks::MaskFolder;

/// Stored masks and their shared state.
#[derive(Debug)]
pub(crate) struct Masks {
    folder: Arc<MaskFolder>,
    cache: MaskCache,
    pub(crate) clicks: ClickBroker,
    pub(crate) webhooks: WebhookQueue,
    pub(crate) metrics: MaskMetrics,
    background_folders: Vec<PathBuf>,
    background_urls: AllowedUrls,
    client: OutboundClient,
    /// Limits concurrent large uploads; others wait.
    large_uploads: Arc<Semaphore>,
}

impl Masks {
    /// The number of concurrent uploads larger than 1 MiB. Each needs memory for up to `limits.mask_body` and the decoded array.
    const LARGE_UPLOADS: usize = 2;

    /// Creates the state from `config`, without reading or writing files.
    pub(crate) fn new(config: &Config, metrics: MaskMetrics) -> Result<Self> {
        let masks = &config.masks;
        let urls = |urls: &[String], key: &str| {
            AllowedUrls::new(urls).map_err(|why| config.error(format!("masks.{key}"), why))
        };
        let background_urls = urls(&masks.background_urls, "background_urls")?;
        let webhook_urls = urls(&masks.webhook_urls, "webhook_urls")?;
        let client = OutboundClient::new(background_urls.has_https() || webhook_urls.has_https())?;
        Ok(Self {
            folder: Arc::new(MaskFolder::new(&masks.folder)),
            cache: MaskCache::new(masks.cache_size.bytes()),
            clicks: ClickBroker::new(masks.max_subscribers),
            webhooks: WebhookQueue::new(webhook_urls, client.clone()),
            metrics,
            background_folders: masks.background_folders.clone(),
            background_urls,
            client,
            large_uploads: Arc::new(Semaphore::new(Self::LARGE_UPLOADS)),
        })
    }

    /// Waits for the permit of a large upload.
    pub(crate) async fn upload_permit(&self) -> HttpResult<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.large_uploads).acquire_owned().await;
        permit.map_err(|_| Problem::busy("the server is stopping"))
    }

    /// The size of the cache in bytes.
    pub(crate) fn cache_bytes(&self) -> u64 {
        self.cache.bytes()
    }
}
