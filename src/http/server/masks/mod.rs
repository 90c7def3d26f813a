//! Stored masks as the server uses them: their folder, what is kept in memory of them, and who receives their clicks.

mod background_source;
mod cache;
mod clicks;
mod event_stream;
mod metrics;
mod store;
mod webhooks;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

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

/// Stored masks, and what requests for them share.
#[derive(Debug)]
pub(crate) struct Masks {
    folder: Arc<MaskFolder>,
    cache: MaskCache,
    pub(crate) clicks: ClickBroker,
    pub(crate) webhooks: WebhookQueue,
    pub(crate) metrics: MaskMetrics,
    /// Held while the size of the folder is checked and changed.
    accounting: Mutex<()>,
    background_folders: Vec<PathBuf>,
    background_urls: AllowedUrls,
    client: OutboundClient,
    /// Uploads that may hold much in memory at a time; others wait.
    large_uploads: Arc<Semaphore>,
}

impl Masks {
    /// Uploads beyond a megabyte at a time: each takes up to `limits.mask_body`, and what it decodes to.
    const LARGE_UPLOADS: usize = 2;

    /// The masks of `config`. Nothing is read or written yet.
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
            accounting: Mutex::default(),
            background_folders: masks.background_folders.clone(),
            background_urls,
            client,
            large_uploads: Arc::new(Semaphore::new(Self::LARGE_UPLOADS)),
        })
    }

    /// The permit of an upload that may hold much in memory.
    pub(crate) async fn upload_permit(&self) -> HttpResult<OwnedSemaphorePermit> {
        let permit = Arc::clone(&self.large_uploads).acquire_owned().await;
        permit.map_err(|_| Problem::busy("the server is stopping"))
    }

    /// The bytes of what is kept in memory.
    pub(crate) fn cache_bytes(&self) -> u64 {
        self.cache.bytes()
    }
}
