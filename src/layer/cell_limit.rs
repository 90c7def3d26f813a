//! The limit of the cells of a picture.

use crate::error::{Error, Result};
use crate::geo::Canvas;
use crate::parameter::Parameter;
use crate::raster::{Kernel, Shape};

/// Checks the number of cells of a picture: its pixels and those around it whose dots reach into it. At most those of the
/// largest square picture with the largest radius are allowed, so only long pictures and a radius on the ground far from
/// the equator can exceed the limit. `cells` is the canvas of the cells.
///
/// # Errors
/// [`Error::Invalid`] for `size` if there are more.
pub fn check_cells(canvas: &Canvas, cells: &Canvas, max_pixels: u64, max_radius_px: f64) -> Result<()> {
    let reach = Kernel::new(Shape::Gaussian, max_radius_px.min(Kernel::MAX_RADIUS_PX))?.reach_px();
    // The classic blend adds two pixels on each side.
    let side = max_pixels.isqrt() + 1 + 2 * (u64::from(reach) + 2);
    let (count, max) = (u64::from(cells.width()) * u64::from(cells.height()), side * side);
    if count <= max {
        return Ok(());
    }
    let (width, height) = (canvas.width(), canvas.height());
    let detail = format!(
        "{width}×{height} pixels and those around them within the radius are {count}, which exceeds the limit of {max}, those \
         of a square picture with limits.pixels and limits.radius_px; request a smaller radius or a less elongated picture"
    );
    Err(Error::invalid(Parameter::SIZE, detail))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::geo::Projection;
    use crate::layer::{Radius, Style};

    #[test]
    fn long_pictures_with_a_large_radius_are_rejected_and_square_ones_are_not() {
        let grid = Canvas::on_grid(Projection::Mercator, [4096.0; 2]).unwrap();
        let check = |width: u32, height: u32, radius_px: f64| {
            let canvas = grid.window(0, 0, width, height).unwrap();
            let style = Style { radius: Radius::Pixels(radius_px), ..Style::new().unwrap() };
            check_cells(&canvas, &style.canvas_with_reach(&canvas).unwrap(), 1 << 24, 512.0)
        };
        for (width, height, radius_px) in
            [(4096, 4096, 512.0), (32_768, 512, 20.0), (512, 32_768, 100.0), (1, 1, 512.0)]
        {
            check(width, height, radius_px).unwrap();
        }
        for (width, height) in [(32_768, 512), (512, 32_768)] {
            let message = check(width, height, 512.0).unwrap_err().to_string();
            assert!(message.contains("limits.radius_px") && message.contains("smaller radius"), "{message}");
        }
    }
}
