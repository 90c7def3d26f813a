//! Stored masks in the server: the folder, the cache, click subscriptions and webhooks.

mod background_source;
mod cache;
mod clicks;
mod event_stream;
mod metrics;
mod spool;
mod store;
mod webhooks;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(crate) use clicks::{Click, ClickBroker};
pub(crate) use event_stream::EventStream;
pub(crate) use metrics::{MaskMetrics, WebhookOutcome};
pub(crate) use spool::Spool;
pub(crate) use store::{UploadedImage, mask_problem, picture_key};
pub(crate) use webhooks::{WebhookQueue, run as run_webhooks};

use self::cache::MaskCache;
use super::outbound::{AllowedUrls, OutboundClient};
use super::problem::{HttpResult, Problem};
use crate::config::Config;
use crate::error::Result;
use crate::mask::MaskStyle;
use crate::masks::{MaskFolder, MaskRecord};

/// Stored masks and their shared state.
#[derive(Debug)]
pub(crate) struct Masks {
    folder: Arc<MaskFolder>,
    cache: MaskCache,
    pub(crate) clicks: ClickBroker,
    pub(crate) webhooks: WebhookQueue,
    pub(crate) metrics: MaskMetrics,
    /// Locked while the size of the folder is checked and changed.
    accounting: Mutex<()>,
    background_folders: Vec<PathBuf>,
    background_urls: AllowedUrls,
    client: OutboundClient,
    /// Limits concurrent decoding and storing of arrays and images; others wait.
    decodes: Arc<Semaphore>,
    /// Limits concurrent downloads of backgrounds.
    downloads: Arc<Semaphore>,
}

impl Masks {
    /// The number of arrays and images that are decoded concurrently. Each needs memory for up to `limits.mask_body` and the
    /// decoded array, which can be large although the compressed body is small.
    const DECODES: usize = 2;
    /// The number of concurrent downloads. Each needs memory for up to `limits.mask_body`, and times out after 10 s.
    const DOWNLOADS: usize = 4;

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
            accounting: Mutex::default(),
            background_folders: masks.background_folders.clone(),
            background_urls,
            client,
            decodes: Arc::new(Semaphore::new(Self::DECODES)),
            downloads: Arc::new(Semaphore::new(Self::DOWNLOADS)),
        })
    }

    /// Waits for the permit to decode and store an array or an image. The holder must not wait for a client.
    pub(crate) async fn decode_permit(&self) -> HttpResult<OwnedSemaphorePermit> {
        permit(&self.decodes).await
    }

    /// Waits for the permit to download a background.
    pub(crate) async fn download_permit(&self) -> HttpResult<OwnedSemaphorePermit> {
        permit(&self.downloads).await
    }

    /// Waits for the permit to read a mask and its background from the folder; `None` if they are cached or small.
    pub(crate) async fn reload_permit(
        &self,
        record: &MaskRecord,
        style: &MaskStyle,
        over: bool,
    ) -> HttpResult<Option<OwnedSemaphorePermit>> {
        if self.reload_bytes(record, style, over) > Spool::SMALL_BYTES as u64 {
            return self.decode_permit().await.map(Some);
        }
        Ok(None)
    }

    /// The size of the cache in bytes.
    pub(crate) fn cache_bytes(&self) -> u64 {
        self.cache.bytes()
    }
}

async fn permit(semaphore: &Arc<Semaphore>) -> HttpResult<OwnedSemaphorePermit> {
    let permit = Arc::clone(semaphore).acquire_owned().await;
    permit.map_err(|_| Problem::busy("the server is stopping"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn at_most_two_arrays_are_decoded_at_a_time_and_all_in_the_end() {
        let masks = Arc::new(Masks::new(&Config::default(), MaskMetrics::default()).unwrap());
        let (working, peak) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let decodes = (0..8).map(|_| {
            let (masks, working, peak) = (Arc::clone(&masks), Arc::clone(&working), Arc::clone(&peak));
            tokio::spawn(async move {
                let permit = masks.decode_permit().await.unwrap();
                let work = move || {
                    let _permit = permit;
                    peak.fetch_max(working.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(20));
                    working.fetch_sub(1, Ordering::SeqCst);
                };
                tokio::task::spawn_blocking(work).await.unwrap();
            })
        });
        for decode in decodes.collect::<Vec<_>>() {
            decode.await.unwrap();
        }
        assert_eq!(peak.load(Ordering::SeqCst), Masks::DECODES);
        // A download takes no permit to decode.
        let _downloads = (masks.download_permit().await.unwrap(), masks.download_permit().await.unwrap());
        drop(masks.decode_permit().await.unwrap());
    }
}
