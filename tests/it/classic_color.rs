//! The classic blend has the colors of the old library: the same alpha in every pixel, and the same RGB in every
//! visible one.

use kiln::color::{Opacity, Palette, Scheme};

use crate::classic::{Case, path};
use crate::golden::{self, Picture};

/// The palette of a scheme and an opacity (0..=255).
fn palette(scheme: &str, opacity: u8) -> [[u8; 4]; 256] {
    let opacity = Opacity::new(f64::from(opacity) / 255.0).unwrap();
    *Palette::classic(&Scheme::named(scheme).unwrap(), opacity).colors()
}

/// Clears the RGB values of fully transparent pixels.
pub(crate) fn clear_transparent(mut picture: Picture) -> Picture {
    for pixel in picture.pixels.chunks_exact_mut(4).filter(|pixel| pixel[3] == 0) {
        pixel.fill(0);
    }
    picture
}

/// Compares the cases, colored by `palette`, with the pictures of the old library.
fn assert_colors(names: &[&str], palette: impl Fn(&str, u8) -> [[u8; 4]; 256]) {
    for name in names {
        let case = Case::read(name);
        let colors = palette(&case.params.scheme, case.params.opacity);
        let grid = case.density(2);
        let pixels = grid.cells().iter().map(|&index| colors[usize::from(index)]);
        let actual = Picture::rgba(grid.width(), grid.height(), pixels);
        let expected = Picture::read(&path(&format!("{name}.png"))).unwrap();
        golden::assert_same(&format!("classic/{name}"), &clear_transparent(expected), &clear_transparent(actual));
    }
}

#[test]
fn every_scheme_matches_the_reference() {
    assert_colors(&["scheme_classic", "scheme_fire", "scheme_omg", "scheme_pbj", "scheme_pgaitch"], palette);
}

#[test]
fn opacity_is_the_alpha_of_all_visible_pixels() {
    assert_colors(&["opacity_0", "opacity_128", "opacity_255"], palette);
}

#[test]
fn an_empty_picture_is_transparent() {
    assert_colors(&["single_d1", "single_d1_grid", "single_d2", "single_noarea", "collinear_noarea"], palette);
}

#[test]
fn dots_edges_and_orientations_match_the_reference() {
    assert_colors(
        &["single_d2_grid", "single_d3", "single_d10", "single_d11", "single_d50", "single_d50_int"],
        palette,
    );
    assert_colors(&["single_d51", "single_d150", "single_d151", "two_overlap_d50", "coincident_5"], palette);
    assert_colors(&["order_a", "order_b", "edges_exact", "orient_F", "area_swapped"], palette);
    assert_colors(&["outside_area", "outside_far", "nonsquare_wide", "nonsquare_tall_noarea"], palette);
}
