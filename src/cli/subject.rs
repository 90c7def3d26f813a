//! What a command draws: a layer by its name, or the points of files or of a table.

use std::path::Path;
use std::sync::Arc;

use super::inputs::expanded;
use super::rows::RowArgs;
use super::store::{StoreArgs, missing};
use crate::config::{Config, check_layer_name};
use crate::error::{Error, Result};
use crate::inputs::OpenInputs;
use crate::layer::{Catalog, Layer, LayerSpec, remarks_with_rejections};
use crate::live;
use crate::parameter::Parameter;
use crate::postgis::Address;
use crate::source::{Columns, Query};
use crate::store::Store;

/// What is to be drawn.
pub(super) struct Subject {
    pub(super) layer: Arc<Layer>,
    /// Which of its points.
    pub(super) query: Query<'static>,
    /// Remarks on the inputs that were read.
    pub(super) remarks: Vec<String>,
}

impl Subject {
    /// The layer that `names` is the name of: of the store, of the configuration, or of its database. Else the points of the files that it names.
    pub(super) fn find(names: &[String], store: &StoreArgs, rows: &RowArgs) -> Result<Self> {
        rows.check()?;
        let [name] = names else { return Self::of_files(names, rows) };
        if check_layer_name(name).is_err() || Path::new(name).is_file() {
            return Self::of_files(names, rows);
        }
        if let Some(flag) = rows.first_of_inputs() {
            return Err(Error::invalid(
                flag,
                format!("`{name}` is a layer, whose points are known; leave the flag out"),
            ));
        }
        let folder = Arc::new(store.open()?);
        let catalog = Catalog::new([]).with_provider(Arc::<Store>::clone(&folder));
        let layer = match catalog.find(name)? {
            None => of_config(&store.load()?, name)?,
            stored => stored,
        };
        let layer = layer.ok_or_else(|| missing(&folder, name))?;
        let remarks = remarks_with_rejections(&layer.report(), Parameter::key);
        Ok(Self { layer, query: rows.query(), remarks })
    }

    fn of_files(inputs: &[String], rows: &RowArgs) -> Result<Self> {
        let files = expanded(inputs)?;
        let opened = OpenInputs::open(&files, &rows.columns(), &rows.read_options())?;
        let query = rows.query();
        let first = opened.names.first().map(String::as_str).unwrap_or_default();
        let is_table = files.iter().any(|input| Address::is_database_url(input));
        let stem = if is_table { None } else { Path::new(first).file_stem() };
        let name = stem.map_or(first.into(), |stem| stem.to_string_lossy());
        let columns =
            Columns { weight: query.columns.names.weight.clone().or(opened.weight), ..query.columns.names.clone() };
        let spec = LayerSpec { name: name.into_owned(), inputs: opened.names.clone(), columns, ..LayerSpec::default() };
        let inputs = spec.inputs.join(", ");
        let layer = Layer::filtered(spec, Box::new(opened.inputs), &query)?;
        if layer.points() == 0 {
            return Err(Error::input(inputs, "no row passes --start, --end and --category"));
        }
        let remarks = remarks_with_rejections(&layer.report(), Parameter::flag);
        // Its points have passed the filters.
        Ok(Self { layer: Arc::new(layer), query: Query::default(), remarks })
    }
}

/// The layer `name` of the configuration or of its database.
fn of_config(config: &Config, name: &str) -> Result<Option<Arc<Layer>>> {
    if let Some(layer) = config.layers.get(name).filter(|layer| !layer.inputs.is_empty()) {
        return Ok(Some(Arc::new(config.open_layer(name, layer)?)));
    }
    let table = live::find(config, name)?;
    table.map(|table| Layer::described(name, table.snapshot()).map(Arc::new)).transpose()
}
