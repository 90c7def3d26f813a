//! The kernel of a style on a canvas.

use super::{Blend, Radius, Style};
use crate::error::{Error, Result};
use crate::geo::{Bounds, Canvas, MAX_MERCATOR_LAT_DEG, Projection};
use crate::parameter::Parameter;
use crate::raster::{Aggregation, Cells, Grid, GroundKernel, Kernel, RowKernels, density, ground_density};
use crate::workers::Workers;

/// The kernel of a style on a canvas.
#[derive(Debug)]
pub(super) enum CanvasKernel {
    /// The radius is the same in all rows.
    Constant(Kernel),
    /// The radius on the ground is the same in all rows.
    ByRow { kernels: Box<RowKernels>, min_radius_px: f64 },
}

impl Style {
    /// The kernel of a dot on `canvas`.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the [minimum radius](Self::min_radius_px) is not above 0 or exceeds
    /// [`Kernel::MAX_RADIUS_PX`].
    pub(super) fn kernel(&self, canvas: &Canvas) -> Result<CanvasKernel> {
        let min_radius_px = self.min_radius_px(canvas);
        match self.radius {
            Radius::Meters(radius_m) if canvas.projection() != Projection::Plane => {
                let kernels = Box::new(GroundKernel::new(self.shape, radius_m)?.on(canvas)?);
                Ok(CanvasKernel::ByRow { kernels, min_radius_px })
            }
            _ => Kernel::new(self.shape, min_radius_px).map(CanvasKernel::Constant),
        }
    }

    /// Rejects a radius on the ground that exceeds [`Kernel::MAX_RADIUS_PX`] in a row of `canvas`: dots there would be smaller
    /// than the radius.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub(super) fn check_rows(&self, canvas: &Canvas) -> Result<()> {
        let Bounds { south, north, .. } = canvas.bounds();
        self.check_radius_at(canvas, south.abs().max(north.abs()))
    }

    /// Rejects a radius on the ground that exceeds [`Kernel::MAX_RADIUS_PX`] pixels of `canvas` along a meridian at `lat_deg`.
    ///
    /// # Errors
    /// [`Error::Invalid`].
    pub fn check_radius_at(&self, canvas: &Canvas, lat_deg: f64) -> Result<()> {
        if self.blend == Blend::Classic || !matches!(self.radius, Radius::Meters(_)) || !canvas.projection().wraps() {
            return Ok(());
        }
        let lat_deg = lat_deg.clamp(-MAX_MERCATOR_LAT_DEG, MAX_MERCATOR_LAT_DEG);
        let (radius_px, max) = (self.radius_px_at(canvas, lat_deg), Kernel::MAX_RADIUS_PX);
        if radius_px <= max {
            return Ok(());
        }
        let message = format!(
            "{} has {radius_px:.0} pixels at a latitude of {lat_deg:.2}°, and at most {max} are supported; use a smaller \
             radius or fewer pixels per km",
            self.radius
        );
        Err(Error::invalid(Parameter::RADIUS, message))
    }
}

impl CanvasKernel {
    /// The canvas of the cells: `canvas` and its surroundings, whose dots reach into it.
    pub(super) fn cells_canvas(&self, canvas: &Canvas) -> Canvas {
        match self {
            Self::Constant(kernel) => canvas.grow(kernel.reach_px()),
            Self::ByRow { kernels, .. } => kernels.cells_canvas(),
        }
    }

    /// The minimum radius in pixels, which is the same in all windows of a grid.
    pub(super) fn min_radius_px(&self) -> f64 {
        match self {
            Self::Constant(kernel) => kernel.radius_px(),
            Self::ByRow { min_radius_px, .. } => *min_radius_px,
        }
    }

    /// Convolves the cells of [`cells_canvas`](Self::cells_canvas). Amounts are per pixel.
    ///
    /// # Errors
    /// [`Error::Invalid`] if the cells are of another canvas or reduction; [`Error::Cancelled`] once the flag of the
    /// workers is set.
    pub(super) fn density(&self, cells: &Cells, aggregation: Aggregation, workers: Workers<'_>) -> Result<Grid<f32>> {
        match self {
            Self::Constant(kernel) => density(cells, *kernel, aggregation, workers),
            Self::ByRow { kernels, .. } => ground_density(cells, kernels, aggregation, workers),
        }
    }
}
