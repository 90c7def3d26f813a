//! The classic blend computes the density of the Python library `heatmap` 2.2.1, byte for byte.

use std::path::Path;

use kiln::geo::Points;
use kiln::raster::Grid;
use kiln::raster::classic::{Dots, Window, legacy_positions};
use serde::Deserialize;

use crate::golden::{self, Picture};

/// A reference case: the parameters and points that the old library rendered.
#[derive(Deserialize)]
pub(crate) struct Case {
    pub(crate) params: Params,
    pub(crate) points: Vec<(f64, f64)>,
}

#[derive(Deserialize)]
pub(crate) struct Params {
    #[serde(rename = "dotsize")]
    pub(crate) dot_size: u16,
    pub(crate) opacity: u8,
    pub(crate) size: (usize, usize),
    pub(crate) scheme: String,
    area: Option<((f64, f64), (f64, f64))>,
}

impl Case {
    pub(crate) fn read(name: &str) -> Self {
        let json = std::fs::read(path(&format!("{name}.json"))).unwrap_or_else(|error| panic!("{name}.json: {error}"));
        serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{name}.json: {error}"))
    }

    /// The density that Kiln computes.
    pub(crate) fn density(&self, threads: usize) -> Grid<u8> {
        let (lon, lat): (Vec<_>, Vec<_>) = self.points.iter().copied().unzip();
        let area = self.params.area.map(|(min, max)| [min.0, min.1, max.0, max.1]);
        let (width, height) = self.params.size;
        let (px, py) = legacy_positions(Points::new(&lon, &lat).unwrap(), area, width, height);
        Dots::new(&px, &py, self.params.dot_size.into()).unwrap().blend(Window::full(width, height), threads).unwrap()
    }
}

/// The path of a reference file.
pub(crate) fn path(file: &str) -> std::path::PathBuf {
    Path::new(golden::FOLDER).join("classic").join(file)
}

/// Compares the density of the cases with the references.
fn assert_densities(names: &[&str]) {
    for name in names {
        let case = Case::read(name);
        let expected = Picture::read(&path(&format!("{name}.density.png"))).unwrap();
        for threads in 1..=3 {
            let grid = case.density(threads);
            let actual = Picture::gray(grid.width(), grid.height(), grid.cells());
            golden::assert_same(&format!("classic/{name}.density"), &expected, &actual);
        }
    }
}

#[test]
fn single_dots_of_every_size_match_the_reference() {
    assert_densities(&["single_d1", "single_d1_grid", "single_d2", "single_d2_grid", "single_d3", "single_d10"]);
    assert_densities(&["single_d11", "single_d50", "single_d50_int", "single_d51", "single_d150", "single_d151"]);
}

#[test]
fn overlapping_dots_are_blended_in_the_order_of_the_points() {
    assert_densities(&["two_overlap_d50", "coincident_5", "order_a", "order_b"]);
}

#[test]
fn orientation_matches_the_reference_for_normal_and_swapped_areas() {
    assert_densities(&["orient_F", "area_swapped", "nonsquare_wide", "nonsquare_tall_noarea"]);
}

#[test]
fn dots_at_and_outside_the_edges_match_the_reference() {
    assert_densities(&["edges_exact", "outside_area", "outside_far"]);
}

#[test]
fn areas_derived_from_the_points_match_the_reference() {
    assert_densities(&["single_noarea", "collinear_noarea", "gauss100_noarea", "defaults_400"]);
}

#[test]
fn areas_of_map_viewports_match_the_reference() {
    assert_densities(&["gauss1000_area", "poc_viewport_area", "f32_city"]);
}

#[test]
fn schemes_and_opacity_do_not_change_the_density() {
    assert_densities(&["opacity_0", "opacity_128", "opacity_255"]);
    assert_densities(&["scheme_classic", "scheme_fire", "scheme_omg", "scheme_pbj", "scheme_pgaitch"]);
}
