//! Clicks on masks, and the streams that receive them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use serde::Serialize;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use utoipa::ToSchema;

use crate::http::server::problem::{HttpResult, Problem};
use crate::masks::MaskId;

/// A cell of a mask and its position in the picture.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct Click {
    /// Pixels from the left edge of the picture.
    #[schema(example = 120.5)]
    pub(crate) x: f64,
    /// Pixels from the top edge of the picture.
    #[schema(example = 80.5)]
    pub(crate) y: f64,
    /// Zero-based row of the mask, from the top.
    pub(crate) row: usize,
    /// Zero-based column of the mask, from the left.
    pub(crate) column: usize,
    /// The value of the cell: a number, null for no data, or `"Infinity"` or `"-Infinity"`.
    #[schema(value_type = Option<f64>, example = 0.75)]
    pub(crate) value: serde_json::Value,
}

/// Distributes clicks on masks to the subscribed event streams.
#[derive(Debug)]
pub(crate) struct ClickBroker {
    streams: Arc<Mutex<Streams>>,
    max: usize,
}

#[derive(Debug, Default)]
struct Streams {
    by_mask: HashMap<MaskId, Vec<(u64, Sender<Bytes>)>>,
    count: usize,
    last: u64,
    is_stopped: bool,
}

/// The subscription of a stream, which ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Subscription {
    pub(super) receiver: Receiver<Bytes>,
    id: MaskId,
    number: u64,
    streams: Arc<Mutex<Streams>>,
}

impl ClickBroker {
    /// The number of events buffered per client. Further events are dropped.
    const WAITING: usize = 32;

    /// Creates a broker of at most `max` streams.
    pub(super) fn new(max: usize) -> Self {
        Self { streams: Arc::default(), max }
    }

    /// Subscribes to the clicks on a mask.
    pub(crate) fn subscribe(&self, id: MaskId) -> HttpResult<Subscription> {
        let mut streams = lock(&self.streams);
        if streams.is_stopped {
            return Err(Problem::busy("the server is stopping"));
        }
        if streams.count >= self.max {
            let message = format!("{} event streams are open (masks.max_subscribers); retry later", self.max);
            return Err(Problem::busy(message));
        }
        let (sender, receiver) = channel(Self::WAITING);
        streams.count += 1;
        streams.last += 1;
        let number = streams.last;
        streams.by_mask.entry(id).or_default().push((number, sender));
        Ok(Subscription { receiver, id, number, streams: Arc::clone(&self.streams) })
    }

    /// Sends `event` to all streams of a mask. Returns the number of streams that dropped it because their buffer is full.
    pub(crate) fn publish(&self, id: MaskId, event: &Bytes) -> usize {
        let streams = lock(&self.streams);
        let senders = streams.by_mask.get(&id).into_iter().flatten();
        senders.filter(|(_, sender)| sender.try_send(event.clone()).is_err()).count()
    }

    /// Ends the streams of a mask.
    pub(crate) fn end(&self, id: MaskId) {
        lock(&self.streams).by_mask.remove(&id);
    }

    /// Ends all streams and rejects new ones.
    pub(crate) fn stop(&self) {
        let mut streams = lock(&self.streams);
        streams.is_stopped = true;
        streams.by_mask.clear();
    }

    /// The number of streams.
    pub(crate) fn count(&self) -> usize {
        lock(&self.streams).count
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut streams = lock(&self.streams);
        streams.count -= 1;
        if let Some(senders) = streams.by_mask.get_mut(&self.id) {
            senders.retain(|(number, _)| *number != self.number);
            if senders.is_empty() {
                streams.by_mask.remove(&self.id);
            }
        }
    }
}

fn lock(streams: &Mutex<Streams>) -> MutexGuard<'_, Streams> {
    streams.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn id(digit: char) -> MaskId {
        digit.to_string().repeat(32).parse().unwrap()
    }

    #[test]
    fn clicks_reach_all_streams_of_their_mask_and_no_others() {
        let broker = ClickBroker::new(3);
        let (mut first, mut second, mut other) = (
            broker.subscribe(id('a')).unwrap(),
            broker.subscribe(id('a')).unwrap(),
            broker.subscribe(id('b')).unwrap(),
        );
        assert_eq!(broker.subscribe(id('a')).unwrap_err().status(), 503);
        assert_eq!(broker.publish(id('a'), &Bytes::from_static(b"1")), 0);
        assert_eq!((first.receiver.try_recv().unwrap(), second.receiver.try_recv().unwrap()), ("1".into(), "1".into()));
        assert!(other.receiver.try_recv().is_err());
        drop(second);
        assert_eq!(broker.count(), 2);
        broker.end(id('a'));
        assert!(first.receiver.is_closed() && !other.receiver.is_closed());
        broker.stop();
        assert!(other.receiver.is_closed());
        drop((first, other));
        assert_eq!((broker.count(), broker.subscribe(id('a')).unwrap_err().status().as_u16()), (0, 503));
    }

    #[test]
    fn events_are_dropped_only_for_streams_that_are_not_read() {
        let broker = ClickBroker::new(2);
        let (slow, mut fast) = (broker.subscribe(id('a')).unwrap(), broker.subscribe(id('a')).unwrap());
        for i in 0..ClickBroker::WAITING + 5 {
            let lost = broker.publish(id('a'), &Bytes::from(i.to_string()));
            assert_eq!(lost, usize::from(i >= ClickBroker::WAITING), "{i}");
            assert_eq!(fast.receiver.try_recv().unwrap(), i.to_string());
        }
        assert_eq!(slow.receiver.len(), ClickBroker::WAITING);
    }
}
