//! The HTTP server in the background.

use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use kiln::config::{Config, ConfigBuilder};
use kiln::http::Server as HttpServer;
use kiln::{Error, Result};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use tokio::runtime::Builder;
use tokio::sync::oneshot;

use crate::error::exception;
use crate::keywords::{Group, Keywords};
use crate::work;

/// A server on a thread of its own.
#[pyclass(frozen, module = "kiln._kiln")]
pub(crate) struct Server {
    url: String,
    token: Option<String>,
    running: Mutex<Option<Running>>,
}

struct Running {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// Starts a server. `settings` are keys of the configuration, such as `server.listen`, and texts; `inputs` are files, or
/// `NAME=FILE`.
#[pyfunction]
#[pyo3(signature = (inputs, settings, config_file, keywords))]
pub(crate) fn serve(
    py: Python<'_>,
    inputs: Vec<String>,
    settings: Vec<(String, String)>,
    config_file: Option<std::path::PathBuf>,
    keywords: &Bound<'_, PyDict>,
) -> PyResult<Server> {
    let keywords = Keywords::read(keywords)?;
    keywords.reject(&[Group::View], "a server has no bounds or size; clients give them")?;
    work::run(py, |_| {
        let mut builder = ConfigBuilder::default();
        if let Some(file) = &config_file {
            let text = std::fs::read_to_string(file).map_err(|error| Error::io(file, "read", error))?;
            builder.add_toml(file, &text)?;
        }
        settings.iter().try_for_each(|(key, text)| builder.set("serve()", key, text))?;
        let mut config = builder.build()?;
        config.add_inputs_with(&inputs, &keywords.columns, &keywords.input)?;
        config.check()?;
        start(config)
    })
}

/// Starts the thread of a server, and waits until it listens.
fn start(config: Config) -> Result<Server> {
    let (listening, is_listening) = std::sync::mpsc::channel();
    let (stop, stopped) = oneshot::channel();
    let work = move || {
        let runtime = match Builder::new_multi_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(listening.send(Err(Error::io("the runtime", "start", error)))),
        };
        runtime.block_on(async {
            let bound = HttpServer::bind(config).await;
            let described = bound.and_then(|server| {
                let (url, token) = (server.url()?, server.write_token().map(str::to_owned));
                Ok((server, url, token))
            });
            match described {
                Ok((server, url, token)) => {
                    let _ = listening.send(Ok((url, token)));
                    // The sender is dropped with the last reference to the server.
                    server.run(async { drop(stopped.await) }).await;
                }
                Err(error) => drop(listening.send(Err(error))),
            }
        });
        runtime.shutdown_background();
    };
    let thread = std::thread::Builder::new().name("kiln serve".to_owned()).spawn(work);
    let thread = thread.map_err(|error| Error::io("the server", "start", error))?;
    let ended = || Error::io("the server", "start", std::io::Error::other("it ended"));
    let (url, token) = is_listening.recv().map_err(|_| ended())??;
    Ok(Server { url, token, running: Mutex::new(Some(Running { stop, thread })) })
}

#[pymethods]
impl Server {
    /// The URL of the map page.
    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    /// The token for writes, if the server made one.
    #[getter]
    fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Whether the server runs.
    #[getter]
    fn is_running(&self) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().is_some_and(|running| !running.thread.is_finished())
    }

    /// Stops the server after the requests in progress.
    fn stop(&self, py: Python<'_>) -> PyResult<()> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Running { stop, thread }) = running else { return Ok(()) };
        py.detach(|| {
            let _ = stop.send(());
            thread.join()
        })
        .map_err(|_| exception(Error::io("the server", "stop", std::io::Error::other("its thread panicked"))))
    }
}
