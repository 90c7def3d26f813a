//! The shared application state.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tokio::runtime::{Handle, RuntimeFlavor};

use super::auth;
use super::body_budget::BodyBudget;
use super::bundled;
use super::cache::ByteCache;
use super::cache_shares::CacheShares;
use super::damaged_files::DamagedFiles;
use super::floor_plans::{self, ConfiguredPlans};
use super::keys::KeyRing;
use super::live_pool::LivePool;
use super::masks::Masks;
use super::metrics::Metrics;
use super::overlay_cache::OverlayCache;
use super::pool::Pool;
use super::price::Price;
use super::problem::HttpResult;
use super::replica::{Replica, open_store};
use super::rooms::LayerRooms;
use super::schemes::Schemes;
use super::spaces::Spaces;
use super::write_limiter::WriteLimiter;
use crate::bucket;
use crate::config::{Config, KeyConfig, LayerConfig, Token};
use crate::error::{Error, Result};
use crate::http::maintenance::objects::ObjectLayers;
use crate::http::maintenance::queue::MaintenanceQueue;
use crate::http::maintenance::scheduler::Scheduler;
use crate::http::parameters::tile_style::TileStyles;
use crate::images::ImageFolder;
use crate::jobs::JobContext;
use crate::layer::{Catalog, Layer, remarks_with_rejections, set_shading_cache_bytes};
use crate::live::ServedLayers;
use crate::objects::allow_private_addresses;
use crate::postgis::LiveTables;
use crate::store::{Bucket, Store};

/// The application state, shared by all requests.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) config: Config,
    /// The token for writes of a server without a configured one.
    pub(super) temporary_token: Option<Token>,
    pub(crate) store: Arc<Store>,
    /// The mirror that fills the store of a replica.
    pub(crate) replica: Option<Replica>,
    /// The bucket in which changed layers are published.
    pub(crate) publication: Option<Arc<dyn Bucket>>,
    /// All layers. Handlers find them through their [`Session`](super::session::Session).
    pub(super) catalog: Catalog,
    /// The database of the live tables, and its layers.
    live: Option<ServedLayers>,
    /// Threads that wait for the database.
    live_pool: LivePool,
    /// The names of the layers that are read from input files; requests cannot change them.
    input_layers: BTreeSet<String>,
    /// The layers that are read from objects.
    pub(crate) objects: ObjectLayers,
    /// The floor plans of the config, by layer.
    pub(crate) floor_plans: ConfiguredPlans,
    /// The rooms of layers.
    pub(crate) rooms: LayerRooms,
    /// The rooms and floor plans that are damaged.
    pub(super) damaged_files: DamagedFiles,
    /// The spaces of plane layers.
    pub(crate) spaces: Spaces,
    pub(crate) schemes: Schemes,
    pub(crate) images: ImageFolder,
    pub(crate) masks: Masks,
    pub(crate) pool: Pool,
    pub(crate) bodies: Arc<BodyBudget>,
    pub(crate) write_limiter: WriteLimiter,
    /// The keys of clients.
    pub(crate) keys: KeyRing,
    pub(crate) maintenance: MaintenanceQueue,
    pub(crate) scheduler: Scheduler,
    /// Encoded responses in memory, by filename or cache key.
    pub(crate) bytes: ByteCache,
    /// Overlays on disk, by cache key.
    pub(crate) overlays: OverlayCache,
    /// Parsed tile styles, by query string.
    pub(crate) tile_styles: TileStyles,
    pub(crate) metrics: Metrics,
}

/// Opens a layer of input files, and logs the remarks on them.
pub(crate) fn open_input_layer(config: &Config, name: &str, layer: &LayerConfig) -> Result<Layer> {
    let layer = config.open_layer(name, layer)?;
    for remark in remarks_with_rejections(&layer.report(), config.spelling(name)) {
        tracing::warn!(layer = name, "{remark}");
    }
    Ok(layer)
}

/// Runs work that takes a while. On a thread of the async runtime, the other tasks of the thread are moved to another.
fn run_blocking(work: &mut dyn FnMut()) {
    let is_multi_thread = |handle: Handle| handle.runtime_flavor() == RuntimeFlavor::MultiThread;
    if Handle::try_current().is_ok_and(is_multi_thread) {
        tokio::task::block_in_place(work);
    } else {
        work();
    }
}

impl App {
    /// Opens the layers of `config`, and the bundled ones if it sets neither layers nor a store.
    pub(crate) fn new(config: Config) -> Result<Self> {
        let (store, replica) = open_store(&config.store)?;
        let publication = config.store.publish.as_deref().map(bucket::open).transpose()?;
        let live = ServedLayers::open(&config)?;
        let is_unconfigured = config.layers.is_empty() && live.is_none() && !config.names_store();
        let samples = if is_unconfigured && store.names()?.is_empty() { bundled::layers()? } else { Vec::new() };
        let input_layers = || config.layers.iter().filter(|(_, layer)| !layer.inputs.is_empty());
        allow_private_addresses(config.server.private_inputs);
        let objects = ObjectLayers::default();
        let opened = input_layers().map(|(name, layer)| objects.open(&config, name, layer));
        let layers: Vec<Layer> = opened.filter_map(Result::transpose).collect::<Result<_>>()?;
        let floor_plans = floor_plans::open(&config)?;
        let input_layers = input_layers().map(|(name, _)| name.clone()).collect();
        let mut catalog = Catalog::new(layers).with_samples(samples);
        if let Some(live) = &live {
            let tables: Arc<LiveTables> = Arc::clone(&live.tables);
            catalog = catalog.with_provider(tables);
        }
        let protected = config.protected_layers()?.with_runner(run_blocking);
        let catalog = catalog.with_provider(Arc::<Store>::clone(&store)).with_protected(protected);
        let threads = config.server.render_threads.unwrap_or_else(crate::available_threads);
        floor_plans::check(&config, &floor_plans, &catalog)?;
        let images = ImageFolder::open(&config.images.folder)?;
        let metrics = Metrics::new(replica.is_some());
        let shares = CacheShares::of(&config.cache);
        set_shading_cache_bytes(shares.shadings);
        let app = Self {
            temporary_token: auth::temporary_token(&config),
            store,
            replica,
            publication,
            scheduler: Scheduler::new(&config, images.path(), threads)?,
            images,
            rooms: LayerRooms::open(&config)?,
            damaged_files: DamagedFiles::default(),
            spaces: Spaces::new(),
            schemes: Schemes::read(&config.schemes.folders)?,
            pool: Pool::new(threads, config.server.queue, &config.limits),
            bytes: ByteCache::new(shares.responses),
            overlays: OverlayCache::new(shares.overlays),
            tile_styles: TileStyles::new(shares.tile_styles),
            bodies: Arc::new(BodyBudget::new(&config.limits)),
            write_limiter: WriteLimiter::new(),
            keys: KeyRing::new(&config)?,
            maintenance: MaintenanceQueue::default(),
            masks: Masks::new(&config, metrics.masks.clone())?,
            metrics,
            catalog,
            live_pool: LivePool::new(live.as_ref().map_or(1, |live| live.database.share()), config.server.queue),
            live,
            input_layers,
            objects,
            floor_plans,
            config,
        };
        app.check()?;
        Ok(app)
    }

    /// Checks that the schemes, layers and columns that the config names exist.
    fn check(&self) -> Result<()> {
        for layer in self.catalog.layers() {
            let invalid = |detail: String| Error::config(format!("layers.{}.style", layer.name()), detail);
            let scheme = self.schemes.find(layer.style().scheme.as_deref());
            let scheme = scheme.map_err(|problem| invalid(problem.detail().to_owned()))?;
            layer.style().resolve(|_| Ok(scheme)).map_err(|error| invalid(error.to_string()))?;
        }
        for (job, config) in self.scheduler.planner().jobs().map(|(job, ..)| job).zip(&self.config.jobs) {
            let checked = job.check(self.job_context()).map_err(|error| match error {
                Error::Invalid { parameter, message } => {
                    Error::config(format!("jobs.{}.{}", config.name, parameter.key()), message.with_keys())
                }
                other => other,
            });
            match checked {
                // The layer may be one of them.
                Err(error) if self.is_incomplete() => tracing::warn!("{error}"),
                checked => checked?,
            }
        }
        match self.config.bridge_layer() {
            // A configured table with invalid values in its rows is skipped.
            Some(name) if self.config.layers.get(name).is_some_and(LayerConfig::is_table) => Ok(()),
            Some(_) if self.is_incomplete() => Ok(()),
            Some(name) if matches!(self.catalog.find(name), Ok(None)) => {
                let layers = self.catalog.layers();
                let names: Vec<&str> = layers.iter().map(|layer| layer.name()).collect();
                let detail = format!("there is no layer `{name}`; expected one of {}", names.join(", "));
                Err(Error::config("bridge.layer", detail))
            }
            _ => Ok(()),
        }
    }

    /// Replaces a layer that was read again.
    pub(crate) fn replace_layer(&self, layer: Layer) {
        self.catalog.replace(layer);
    }

    /// Whether layers are unknown: the database or the objects of a layer could not be reached at the start, or a replica has not
    /// copied all layers yet.
    fn is_incomplete(&self) -> bool {
        self.live.as_ref().is_some_and(|live| live.is_away) || self.objects.has_absent() || self.is_copying()
    }

    /// Runs work that reads a layer: that of a live table on threads of its own, so that a slow or locked table delays
    /// no other layer.
    ///
    /// # Errors
    /// As [`Pool::run_at`].
    pub(crate) async fn run_for<T: Send + 'static>(
        &self,
        layer: Option<Arc<Layer>>,
        price: Price,
        work: impl FnOnce(&AtomicBool) -> Result<T> + Send + 'static,
    ) -> HttpResult<T> {
        let Some(layer) = layer.filter(|layer| layer.point_set().is_remote()) else {
            return self.pool.run_at(price, work).await;
        };
        self.pool.admit(price)?;
        let table = layer.parent().map_or(layer.name(), |parent| parent.name());
        self.live_pool.run(table, price, work).await
    }

    /// The context that jobs run in: each on one thread, several at a time.
    pub(crate) fn job_context(&self) -> JobContext<'_> {
        let (catalog, database) = (&self.catalog, self.live.as_ref().map(|live| &live.database));
        JobContext { catalog, database, scheme_folders: &self.config.schemes.folders, threads: 1 }
    }

    /// Whether the layer `name` is read from files that requests cannot change: an input, or a bundled sample.
    pub(crate) fn is_input_layer(&self, name: &str) -> bool {
        self.input_layers.contains(name) || self.catalog.is_sample(name)
    }

    /// Whether the layer `name` has a minimum count.
    pub(crate) fn is_protected(&self, name: &str) -> bool {
        self.catalog.is_protected(name)
    }

    /// Replaces the keys by those of another configuration, and returns their number. After an error, the previous ones stay.
    ///
    /// # Errors
    /// [`Error::Config`] if a key is invalid.
    pub(super) fn replace_keys(&self, config: &Config) -> Result<usize> {
        let count = self.keys.replace(config)?;
        self.catalog.clear_views();
        self.warn_of_keys(config);
        Ok(count)
    }

    /// Logs the keys that allow nothing: expired ones, and those of layers that do not exist, which may come later.
    pub(super) fn warn_of_keys(&self, config: &Config) {
        let now_s = super::clock::now_s();
        for (key, KeyConfig { layers, .. }) in &config.keys {
            for layer in layers {
                // Errors of a layer are reported where it is read.
                if matches!(self.catalog.find(layer), Ok(None)) {
                    tracing::warn!(key, layer, "the key names a layer that does not exist");
                }
            }
        }
        let expired = config.keys.iter().filter(|(_, key)| key.expires_s().is_some_and(|expires_s| expires_s <= now_s));
        for (key, config) in expired {
            tracing::warn!(key, expires = config.expires, "the key has expired");
        }
    }

    /// The number of render threads.
    pub(crate) fn render_threads(&self) -> usize {
        self.config.server.render_threads.unwrap_or_else(crate::available_threads)
    }
}
