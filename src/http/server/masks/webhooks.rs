//! Webhooks: delivery of clicks to the URL of a mask.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::metrics::WebhookOutcome;
use crate::http::server::App;
use crate::http::server::outbound::{AllowedUrls, OutboundClient, origin};
use crate::http::server::trace::Continuation;

/// A bounded queue of clicks for webhooks.
#[derive(Debug)]
pub(crate) struct WebhookQueue {
    sender: Sender<Delivery>,
    receiver: Mutex<Option<Receiver<Delivery>>>,
    urls: AllowedUrls,
    client: OutboundClient,
}

/// A click for a webhook.
#[derive(Debug)]
struct Delivery {
    url: String,
    json: Bytes,
    /// The trace of the click.
    trace: Continuation,
}

impl WebhookQueue {
    /// The maximum number of queued clicks; further clicks are dropped.
    const WAITING: usize = 256;
    /// The maximum number of concurrent deliveries.
    const WORKING: usize = 8;
    const TIMEOUT: Duration = Duration::from_secs(5);

    pub(super) fn new(urls: AllowedUrls, client: OutboundClient) -> Self {
        let (sender, receiver) = channel(Self::WAITING);
        Self { sender, receiver: Mutex::new(Some(receiver)), urls, client }
    }

    /// Checks whether a URL is allowed.
    ///
    /// # Errors
    /// The reason, as a predicate for the subject "the URL".
    pub(crate) fn check(&self, url: &str) -> Result<(), String> {
        self.urls.check(url).map(drop)
    }

    /// Queues JSON for `url`. Returns whether there was room.
    pub(crate) fn send(&self, url: &str, json: Bytes) -> bool {
        let trace = Continuation::of_current();
        self.sender.try_send(Delivery { url: url.to_owned(), json, trace }).is_ok()
    }
}

/// Delivers queued clicks until the server stops.
pub(crate) async fn run(app: Arc<App>) {
    let receiver = app.masks.webhooks.receiver.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(mut receiver) = receiver else { return };
    let limit = Arc::new(Semaphore::new(WebhookQueue::WORKING));
    while let Some(delivery) = receiver.recv().await {
        let Ok(permit) = Arc::clone(&limit).acquire_owned().await else { return };
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            let outcome = deliver(&app, delivery).await;
            app.masks.metrics.webhook(outcome);
            drop(permit);
        });
    }
}

async fn deliver(app: &App, Delivery { url, json, trace }: Delivery) -> WebhookOutcome {
    let WebhookQueue { urls, client, .. } = &app.masks.webhooks;
    // The configuration may have changed since the mask was stored.
    let allowed = match urls.check(&url) {
        Ok(allowed) => allowed,
        Err(why) => {
            tracing::warn!(server = origin(&url), "the webhook {why}");
            return WebhookOutcome::Failed;
        }
    };
    match trace.run("deliver a click", client.post_json(&allowed, json, WebhookQueue::TIMEOUT)).await {
        Ok(()) => WebhookOutcome::Delivered,
        Err(error) => {
            tracing::warn!(server = origin(&url), cause = error.cause(), "a click was not delivered: {error}");
            WebhookOutcome::Failed
        }
    }
}
