//! Damaged segments of layers, in replies.

use serde::Serialize;
use utoipa::ToSchema;

use crate::error::Error;
use crate::http::server::App;
use crate::http::server::problem::manifest_remedy;
use crate::http::server::session::Session;
use crate::layer::Layer;
use crate::source::DamagedPoints;
use crate::store::Damage;

/// Segments of a stored layer that are left out because their files are damaged.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DamageReply {
    /// Number of damaged segments.
    #[schema(example = 1)]
    segments: u64,
    /// Number of points in these segments; null for a layer with a minimum count.
    #[schema(example = 60_000)]
    points: Option<u64>,
    /// The first damaged files, each with the reason.
    #[schema(example = json!(["00000001.points.arrow: it is damaged: the checksum does not match"]))]
    reasons: Vec<String>,
}

impl DamageReply {
    /// The maximum number of reasons.
    const MAX_REASONS: usize = 10;

    /// The damage of a layer; `None` if it is intact.
    pub(super) fn of(layer: &Layer) -> Option<Self> {
        let DamagedPoints { segments, points, mut reasons } = layer.damage()?;
        reasons.truncate(Self::MAX_REASONS);
        Some(Self { segments, points, reasons })
    }
}

/// A layer of the store none of whose points can be read.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct UnreadableLayerReply {
    /// Name of the layer.
    #[schema(example = "trips")]
    name: String,
    /// The file, and the reason.
    #[schema(example = "manifest.json: it is damaged: the checksum does not match")]
    reason: String,
    /// What to do; null if the cause is not in the layer, such as a failing disk.
    #[schema(
        example = "restore the files of the layer from a backup, or remove it with `kiln drop trips` and import its points again"
    )]
    remedy: Option<String>,
}

impl UnreadableLayerReply {
    /// The layers of the store that cannot be read and that the client may see, by name.
    pub(super) fn all(app: &Session) -> Vec<Self> {
        let unreadable = |name: String| {
            let error = app.store.layer(&name).err()?;
            let remedy = matches!(error, Error::DamagedManifest { .. }).then(|| manifest_remedy(&name));
            Some(Self { name, reason: Damage::public_reason_of(&error), remedy })
        };
        // Names that cannot be listed are logged with the layers.
        let names = app.store.names().unwrap_or_default();
        let visible = names.into_iter().filter(|name| app.access().sees(name) && !app.is_input_layer(name));
        let mut all: Vec<Self> = visible.filter_map(unreadable).collect();
        let problems = app.replica.as_ref().map(|replica| replica.mirror.status().problems).unwrap_or_default();
        let unserved = problems.into_iter().filter(|problem| !problem.is_served && app.access().sees(&problem.layer));
        all.extend(unserved.map(|problem| Self { name: problem.layer, reason: problem.public_reason, remedy: None }));
        all
    }
}

/// A damaged layer of the store.
pub(super) struct DamagedLayer {
    pub(super) name: String,
    /// Number of damaged segments; 1 if the manifest is damaged, 0 if a file next to it is.
    pub(super) segments: u64,
    /// Number of points in these segments.
    pub(super) points: u64,
    /// The first damaged file, with the reason.
    pub(super) reason: String,
}

impl App {
    /// The damaged layers of the store, by name.
    pub(super) fn damaged_layers(&self) -> Vec<DamagedLayer> {
        let names = self.store.names().unwrap_or_default();
        let damage = |name: String| match self.store.layer(&name) {
            Ok(layer) => {
                let snapshot = layer?.snapshot();
                let damaged = snapshot.damaged();
                let reason = damaged.first()?.public_reason.clone();
                let points = damaged.iter().map(|damage| damage.points).sum();
                Some(DamagedLayer { name, segments: damaged.len() as u64, points, reason })
            }
            Err(error) => Some(DamagedLayer { name, segments: 1, points: 0, reason: Damage::public_reason_of(&error) }),
        };
        let mut layers: Vec<_> =
            names.into_iter().filter(|name| !self.is_input_layer(name)).filter_map(damage).collect();
        for (name, reason) in self.damaged_files() {
            if layers.iter().all(|layer| layer.name != name) {
                layers.push(DamagedLayer { name, segments: 0, points: 0, reason });
            }
        }
        layers
    }
}
