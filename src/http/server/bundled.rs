//! The sample layers that are built into the binary.

use crate::error::Result;
use crate::layer::{Layer, LayerSpec, StyleOptions};
use crate::parameters::ParameterSet;
use crate::source::{Columns, ReadOptions, read};

/// A layer whose file is embedded in the binary.
struct Bundled {
    name: &'static str,
    title: &'static str,
    attribution: &'static str,
    weight: &'static str,
    style: &'static [(&'static str, &'static str)],
    file: &'static [u8],
}

const BUNDLED: [Bundled; 2] = [
    Bundled {
        name: "cities",
        title: "Cities by population",
        attribution: "GeoNames, CC BY 4.0",
        weight: "population",
        style: &[("curve", "sqrt"), ("radius", "12")],
        file: include_bytes!("../../../data/cities.parquet"),
    },
    Bundled {
        name: "earthquakes",
        title: "Earthquakes by magnitude",
        attribution: "U.S. Geological Survey",
        weight: "mag",
        style: &[("curve", "log"), ("radius", "20")],
        file: include_bytes!("../../../data/earthquakes.geojson"),
    },
];

/// The bundled layers.
///
/// # Errors
/// If no temporary copy can be written.
pub(crate) fn layers() -> Result<Vec<Layer>> {
    BUNDLED.iter().map(Bundled::layer).collect()
}

impl Bundled {
    fn layer(&self) -> Result<Layer> {
        let mut style = StyleOptions::default();
        for (name, value) in self.style {
            style.set(name, value)?;
        }
        let spec = LayerSpec {
            name: self.name.to_owned(),
            inputs: vec![format!("bundled {}", self.name)],
            title: Some(self.title.to_owned()),
            attribution: Some(self.attribution.to_owned()),
            columns: Columns { weight: Some(self.weight.to_owned()), ..Columns::default() },
            style,
            ..LayerSpec::default()
        };
        Layer::of_source(spec, read(self.file, self.name, &ReadOptions::default())?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn all_bundled_points_are_read() {
        let layers = layers().unwrap();
        let counts: Vec<(&str, u64, u64)> =
            layers.iter().map(|layer| (layer.name(), layer.points(), layer.report().rejected)).collect();
        assert_eq!(counts, [("cities", 135_233, 0), ("earthquakes", 1707, 0)]);
    }
}
