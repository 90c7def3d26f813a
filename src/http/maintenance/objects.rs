//! Layers of objects in buckets and on web servers, which are read again when the objects change.
//!
//! Requests never wait for a bucket: a layer is replaced once its new points are in memory, and remains as it is while the objects
//! cannot be read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::{Config, LayerConfig, TimeSpan};
use crate::error::{Error, Result};
use crate::http::server::{App, open_input_layer};
use crate::layer::Layer;
use crate::objects::ObjectInfo;
use crate::source::object_states;

/// The interval of checks of a layer without `refresh`.
const REFRESH: Duration = Duration::from_secs(60);
/// The time between two looks at the clock.
const TICK: Duration = Duration::from_millis(500);

/// The objects of layers, as they were when the layers were last read.
#[derive(Debug, Default)]
pub(crate) struct ObjectLayers(Mutex<BTreeMap<String, State>>);

/// The objects of a layer.
#[derive(Debug)]
struct State {
    /// `None` if they could not be read.
    objects: Option<Vec<(String, ObjectInfo)>>,
    checked: Instant,
    /// The last error, which is logged once.
    error: Option<String>,
}

impl ObjectLayers {
    /// Opens a layer of inputs. One of objects that are temporarily unavailable is `None`, and opened once they are back.
    ///
    /// # Errors
    /// Those of the inputs.
    pub(crate) fn open(&self, config: &Config, name: &str, layer: &LayerConfig) -> Result<Option<Layer>> {
        if !layer.inputs.has_objects() {
            return open_input_layer(config, name, layer).map(Some);
        }
        // Before the layer is read: a change during the read is found by the next check.
        let read =
            object_states(&layer.inputs).and_then(|objects| Ok((objects, open_input_layer(config, name, layer)?)));
        let (objects, opened, error) = match read {
            Ok((objects, opened)) => (Some(objects), Some(opened), None),
            Err(error) if is_temporary(&error) => {
                tracing::warn!(layer = name, %error, "the layer is opened once its objects can be read");
                (None, None, Some(error.to_string()))
            }
            Err(error) => return Err(error),
        };
        self.lock().insert(name.to_owned(), State { objects, checked: Instant::now(), error });
        Ok(opened)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, State>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a layer has not been opened yet.
    pub(crate) fn has_absent(&self) -> bool {
        self.lock().values().any(|state| state.objects.is_none())
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// The next layer whose interval has passed.
    fn next_due(&self, config: &Config) -> Option<String> {
        let layers = self.lock();
        let is_due = |(name, state): &(&String, &State)| {
            let refresh = config.layers.get(*name).and_then(|layer| layer.refresh).map_or(REFRESH, TimeSpan::duration);
            state.checked.elapsed() >= refresh
        };
        layers.iter().filter(is_due).min_by_key(|(_, state)| state.checked).map(|(name, _)| name.clone())
    }

    /// Reads a layer again if its objects have changed.
    fn refresh(&self, app: &App, name: &str) {
        let Some(layer) = app.config.layers.get(name) else { return };
        let start = Instant::now();
        let result = object_states(&layer.inputs).and_then(|objects| {
            let is_same = |known: &Vec<(String, ObjectInfo)>| {
                known.len() == objects.len()
                    && known
                        .iter()
                        .zip(&objects)
                        .all(|((name, known), (other, found))| name == other && known.is_same(found))
            };
            let is_known = self.lock().get(name).is_some_and(|state| state.objects.as_ref().is_some_and(is_same));
            if is_known {
                Ok(None)
            } else {
                open_input_layer(&app.config, name, layer).map(|opened| Some((objects, opened)))
            }
        });
        let mut layers = self.lock();
        let Some(state) = layers.get_mut(name) else { return };
        state.checked = Instant::now();
        match result {
            Ok(None) => state.error = None,
            Ok(Some((objects, opened))) => {
                let (points, ms) = (opened.points(), start.elapsed().as_millis());
                app.replace_layer(opened);
                (state.objects, state.error) = (Some(objects), None);
                tracing::info!(layer = name, points, ms, "the objects have changed and were read again");
            }
            Err(Error::Cancelled) => {}
            Err(error) => {
                let text = error.to_string();
                if state.error.as_ref() != Some(&text) {
                    tracing::warn!(layer = name, %error, "the objects cannot be read; the layer remains as it is");
                }
                state.error = Some(text);
            }
        }
    }
}

/// Whether a later attempt may succeed.
fn is_temporary(error: &Error) -> bool {
    use std::io::ErrorKind::{NotConnected, TimedOut};
    matches!(error, Error::Io { source, .. } if matches!(source.kind(), NotConnected | TimedOut))
}

/// Checks the objects of layers while the server runs.
pub(crate) async fn run(app: Arc<App>) {
    if app.objects.is_empty() {
        return;
    }
    let mut ticks = tokio::time::interval(TICK);
    loop {
        ticks.tick().await;
        while let Some(name) = app.objects.next_due(&app.config) {
            let app = Arc::clone(&app);
            // A panic is logged by its hook.
            let _ = tokio::task::spawn_blocking(move || app.objects.refresh(&app, &name)).await;
        }
    }
}
