//! The state that all requests share, and the server around it.

use std::collections::BTreeSet;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;

use super::cache::ByteCache;
use super::metrics::Metrics;
use super::pool::Pool;
use super::problem::{Answer, Problem};
use super::router::Routes;
use super::write_limiter::WriteLimiter;
use crate::color::Scheme;
use crate::config::{Config, LayerConfig, StoreConfig};
use crate::error::{Error, Result};
use crate::http::maintenance::scheduler::Scheduler;
use crate::http::maintenance::store::Maintenance;
use crate::http::maintenance::{image_gc, scheduler, store};
use crate::http::parameters::tile_style::TileStyles;
use crate::http::routes::overlays::Overlays;
use crate::images::ImageFolder;
use crate::layer::{Catalog, Layer, SchemeFolders};
use crate::live;
use crate::postgis::Database;
use crate::spelling::nearest_first;
use crate::store::Store;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: Config,
    pub(crate) store: Arc<Store>,
    pub(crate) catalog: Catalog,
    /// The database of the live tables.
    pub(crate) database: Option<Arc<Database>>,
    /// The names of the layers that no request changes.
    pub(crate) input_layers: BTreeSet<String>,
    pub(crate) schemes: Vec<Scheme>,
    pub(crate) images: ImageFolder,
    pub(crate) pool: Pool,
    pub(crate) write_limiter: WriteLimiter,
    pub(crate) maintenance: Maintenance,
    pub(crate) scheduler: Scheduler,
    /// Pictures in memory, by filename or by what they show.
    pub(crate) bytes: ByteCache,
    /// Pictures that were written, by what they show.
    pub(crate) overlays: Overlays,
    /// How tiles are drawn, by the queries that say it.
    pub(crate) tile_styles: TileStyles,
    pub(crate) metrics: Metrics,
    pub(crate) routes: Routes,
}

/// A server that listens already.
#[derive(Debug)]
pub struct Server {
    app: Arc<App>,
    listener: TcpListener,
}

impl Server {
    /// Reads the layers of `config`, or the bundled ones if neither it nor the store has any, and begins to listen.
    ///
    /// # Errors
    /// If a layer or a scheme file cannot be read, the folder of images cannot be written, or the address is taken.
    pub async fn bind(config: Config) -> Result<Self> {
        let listen = config.server.listen;
        // Files and databases are waited for.
        let app = tokio::task::spawn_blocking(move || App::new(config)).await;
        let app = Arc::new(app.map_err(|error| Error::io("the server", "start", std::io::Error::other(error)))??);
        let refused = |error| Error::io(listen.to_string(), "listen on", error);
        let listener = TcpListener::bind(listen).await.map_err(refused)?;
        Ok(Self { app, listener })
    }

    /// The address that it listens on; its port is the real one where the config says 0.
    ///
    /// # Errors
    /// [`Error::Io`] if the system will not say.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().map_err(|error| Error::io("listener", "read the address of", error))
    }

    /// Its layers by name, with their points.
    pub fn layers(&self) -> impl Iterator<Item = (String, u64)> {
        self.app.catalog.layers().into_iter().map(|layer| (layer.name().to_owned(), layer.points()))
    }

    /// Answers requests until `shutdown` is over, and then finishes those that have begun.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let Self { app, listener } = self;
        let sweeper = tokio::spawn(image_gc::sweep_forever(Arc::clone(&app)));
        let maintenance = tokio::spawn(store::keep_up(Arc::clone(&app)));
        let jobs = tokio::spawn(scheduler::run_jobs(Arc::clone(&app)));
        super::serve::serve(Arc::clone(&app), super::router::router(Arc::clone(&app)), listener, shutdown).await;
        sweeper.abort();
        maintenance.abort();
        jobs.abort();
        app.maintenance.stop();
    }
}

/// The layer that a section of the config describes.
fn open(name: &str, config: &LayerConfig) -> Result<Layer> {
    Layer::open(config.spec(name)?).map_err(|error| match error {
        Error::Input { input, message } if message.parameters().next().is_some() => {
            Error::input(input, format!("{}, as a key of [layers.{name}] in kiln.toml", message.with_keys()))
        }
        other => other,
    })
}

/// The store of the config. Its folder need not be there yet: the first layer makes it, by a request or by others.
fn open_store(config: &StoreConfig) -> Result<Store> {
    let open = if config.read_only { Store::open } else { Store::open_for_server };
    open(&config.folder)
}

impl App {
    fn new(config: Config) -> Result<Self> {
        let store = open_store(&config.store)?;
        let database = live::open(&config)?;
        let layers = if config.layers.is_empty() && database.is_none() {
            // For a first look, where there is nothing else.
            if store.names()?.is_empty() { super::bundled::layers()? } else { Vec::new() }
        } else {
            let of_inputs = config.layers.iter().filter(|(_, layer)| !layer.inputs.is_empty());
            of_inputs.map(|(name, layer)| open(name, layer)).collect::<Result<Vec<_>>>()?
        };
        let input_layers = layers.iter().map(|layer| layer.name().to_owned()).collect();
        let mut catalog = Catalog::new(layers);
        if let Some(database) = &database {
            catalog = catalog.with_provider(Arc::new(live::layers(&config, database)?));
        }
        let store = Arc::new(store);
        let catalog = catalog.with_provider(Arc::<Store>::clone(&store));
        // A broken scheme file is told, and the others still serve.
        let mut schemes = Vec::new();
        for scheme in SchemeFolders::usual(&config.schemes.folders)?.all() {
            match scheme {
                Ok(scheme) => schemes.push(scheme),
                Err(error) => tracing::warn!(%error, "a scheme is left out"),
            }
        }
        let threads = config.server.render_threads.unwrap_or_else(crate::available_threads);
        let images = ImageFolder::open(&config.images.folder)?;
        let app = Self {
            store,
            scheduler: Scheduler::new(&config, images.path(), threads)?,
            images,
            pool: Pool::new(threads, config.server.queue),
            bytes: ByteCache::new(config.cache.size.bytes()),
            overlays: Overlays::new(),
            tile_styles: TileStyles::new(),
            write_limiter: WriteLimiter::new(),
            maintenance: Maintenance::default(),
            metrics: Metrics::new(),
            routes: Routes::new(),
            catalog,
            database,
            input_layers,
            schemes,
            config,
        };
        app.check()?;
        Ok(app)
    }

    /// Makes sure that what the config says of the layers can be done.
    fn check(&self) -> Result<()> {
        for layer in self.catalog.layers() {
            let at_fault = |why: String| Error::config(format!("layers.{}.style", layer.name()), why);
            let scheme = layer.style().scheme.as_deref().unwrap_or(Scheme::DEFAULT);
            let scheme = self.scheme(scheme).map_err(|problem| at_fault(problem.detail().to_owned()))?;
            layer.style().resolve(|_| Ok(scheme)).map_err(|error| at_fault(error.to_string()))?;
        }
        for (job, config) in self.scheduler.planner().jobs().map(|(job, ..)| job).zip(&self.config.jobs) {
            job.check(self.job_context()).map_err(|error| match error {
                Error::Invalid { parameter, message } => {
                    Error::config(format!("jobs.{}.{}", config.name, parameter.key()), message.with_keys())
                }
                other => other,
            })?;
        }
        match self.config.bridge_layer() {
            Some(name) if self.catalog.find(name)?.is_none() => {
                let layers = self.catalog.layers();
                let names: Vec<&str> = layers.iter().map(|layer| layer.name()).collect();
                let why = format!("there is no layer `{name}`; there are {}", names.join(", "));
                Err(Error::config("bridge.layer", why))
            }
            _ => Ok(()),
        }
    }

    /// Threads that draw.
    pub(crate) fn render_threads(&self) -> usize {
        self.config.server.render_threads.unwrap_or_else(crate::available_threads)
    }

    /// The layer `name`.
    pub(crate) fn layer(&self, name: &str) -> Answer<Arc<Layer>> {
        self.catalog.find(name)?.ok_or_else(|| {
            // Longer than any name: not worth a comparison, nor an echo.
            const MAX_BYTES: usize = 64;
            if name.len() > MAX_BYTES {
                return Problem::not_found("there is no layer of such a long name");
            }
            let layers = self.catalog.layers();
            let near = nearest_first(name, layers.iter().map(|layer| layer.name()));
            let near = near.first().map(|near| format!("; did you mean {near}?")).unwrap_or_default();
            Problem::not_found(format!("there is no layer `{name}`{near}"))
        })
    }

    /// The first layer by name.
    pub(crate) fn first_layer(&self) -> Option<Arc<Layer>> {
        self.catalog.layers().into_iter().next()
    }

    /// The scheme `name`, read when the server started.
    pub(crate) fn scheme(&self, name: &str) -> Answer<Scheme> {
        let find = |name: &str| {
            let exact = self.schemes.iter().find(|scheme| scheme.name() == name);
            let found = exact.or_else(|| self.schemes.iter().find(|scheme| Scheme::same_name(scheme.name(), name)));
            found.cloned().map(Ok)
        };
        Scheme::resolve(name, find)
            .unwrap_or_else(|| {
                Err(Scheme::unknown(name, self.schemes.iter().map(Scheme::name), "GET /catalog lists all"))
            })
            .map_err(Into::into)
    }

    /// The address of something that the server answers, given its path without the first slash.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.config.server.base_url.as_deref().unwrap_or_default().trim_end_matches('/'))
    }
}
