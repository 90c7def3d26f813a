//! The layer that a command renders, resolved from its name, or from files or a table.

use std::path::Path;
use std::sync::Arc;

use super::damage::DamageArgs;
use super::inputs::expand_inputs;
use super::rows::RowArgs;
use super::store::{StoreArgs, unknown_layer};
use crate::config::{Config, check_layer_name};
use crate::error::{Error, Result};
use crate::inputs::{OpenInputs, open_table};
use crate::layer::{Catalog, Layer, LayerSpec, remarks_with_rejections};
use crate::live;
use crate::parameter::Parameter;
use crate::postgis::{Address, LiveTables};
use crate::source::{Columns, Query};
use crate::store::Store;

/// A layer and the points of it to render.
pub(super) struct ResolvedLayer {
    pub(super) layer: Arc<Layer>,
    /// The query for the points.
    pub(super) query: Query<'static>,
    /// Remarks on the inputs that were read.
    pub(super) remarks: Vec<String>,
    /// Whether the layer is one of the store or the database, rather than of files.
    pub(super) is_stored: bool,
}

impl ResolvedLayer {
    /// Finds the layer that `inputs` names in the store, the configuration, or its database; or else opens `inputs` as
    /// files.
    pub(super) fn find(inputs: &[String], store: &StoreArgs, rows: &RowArgs, damage: &DamageArgs) -> Result<Self> {
        rows.check()?;
        let [name] = inputs else { return Self::from_inputs(inputs, rows) };
        if name == "-" || check_layer_name(name).is_err() || Path::new(name).is_file() {
            return Self::from_inputs(inputs, rows);
        }
        if let Some(flag) = rows.first_input_parameter() {
            return Err(Error::invalid(
                flag,
                format!("the flag applies to files, and `{name}` is a layer; omit the flag"),
            ));
        }
        let folder = Arc::new(store.open()?);
        let config = store.load()?;
        damage.prepare(&folder, name)?;
        let catalog = Catalog::new([]).with_provider(Arc::<Store>::clone(&folder));
        let layer = match catalog.with_protected(config.protected_layers()?).find(name)? {
            None => from_config(&config, name)?,
            stored => stored,
        };
        let layer = layer.ok_or_else(|| {
            if Path::new(name).is_dir() {
                Error::input(name, "the input is a folder; expected a file or the name of a layer")
            } else {
                unknown_layer(&folder, name)
            }
        })?;
        let is_stored = config.layers.get(name).is_none_or(|layer| layer.inputs.is_empty());
        let mut remarks = remarks_with_rejections(&layer.report(), Parameter::key);
        remarks.extend(damage.check(&layer)?);
        Ok(Self { layer, query: rows.query()?, remarks, is_stored })
    }

    /// Opens a table of a database, of which all columns can be axes and values of matrices.
    pub(super) fn of_table(address: &Address, rows: &RowArgs) -> Result<Self> {
        rows.check()?;
        let table = open_table(address, &rows.columns(), &rows.read_options())?;
        let name = table.relation().table_name().unwrap_or_default().to_owned();
        let layer = Layer::described(&name, Arc::new(table))?;
        let remarks = remarks_with_rejections(&layer.report(), Parameter::flag);
        Ok(Self { layer: Arc::new(layer), query: rows.query()?, remarks, is_stored: true })
    }

    fn from_inputs(inputs: &[String], rows: &RowArgs) -> Result<Self> {
        let files = expand_inputs(inputs)?;
        let opened = OpenInputs::open(&files, &rows.columns(), &rows.read_options())?;
        let query = rows.query()?;
        let first = opened.names.first().map(String::as_str).unwrap_or_default();
        let is_table = files.iter().any(|input| Address::is_database_url(input));
        let stem = if is_table { None } else { Path::new(first).file_stem() };
        let name = stem.map_or(first.into(), |stem| stem.to_string_lossy());
        let columns =
            Columns { weight: query.columns.names.weight.clone().or(opened.weight), ..query.columns.names.clone() };
        let space = query.columns.space;
        let (name, names) = (name.into_owned(), opened.names.clone());
        let spec = LayerSpec { name, inputs: names, columns, space, ..LayerSpec::default() };
        let inputs = spec.inputs.join(", ");
        let layer = Layer::filtered(spec, Box::new(opened.inputs), &query)?;
        if layer.points() == 0 {
            return Err(Error::input(
                inputs,
                "no row passes the filters (--start, --end, --hours, --weekdays, --months, --category)",
            ));
        }
        let remarks = remarks_with_rejections(&layer.report(), Parameter::flag);
        // The layer contains only the points that match the filters.
        Ok(Self { layer: Arc::new(layer), query: Query::default(), remarks, is_stored: false })
    }
}

/// Opens the layer `name` of the configuration or its database.
fn from_config(config: &Config, name: &str) -> Result<Option<Arc<Layer>>> {
    if let Some(layer) = config.layers.get(name).filter(|layer| !layer.inputs.is_empty()) {
        return Ok(Some(Arc::new(config.open_layer(name, layer)?)));
    }
    let Some(table) = live::find(config, name)? else { return Ok(None) };
    let tables: LiveTables = std::iter::once((name.to_owned(), table)).collect();
    Catalog::new([]).with_provider(Arc::new(tables)).with_protected(config.protected_layers()?).find(name)
}
