//! Frames of 32-bit fixed-point coordinates: Web Mercator, and squares of a plane in meters.

use super::{PlaneFrame, Points, fixed};

/// The frame of fixed-point coordinates: the position that each pair of units stands for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Frame {
    /// The square world of Web Mercator: see [`fixed`]. A unit stands for its center.
    #[default]
    Mercator,
    /// A square of a plane.
    Plane(PlaneFrame),
}

impl Frame {
    /// Whether a point is inside the frame.
    #[inline]
    pub fn contains(self, x: f64, y: f64) -> bool {
        match self {
            Self::Mercator => fixed::is_on_map(y),
            Self::Plane(frame) => frame.contains(x, y),
        }
    }

    /// Appends the units of `points`, which must be inside the frame, to `x` and `y`.
    pub fn to_fixed(self, points: Points<'_>, x: &mut Vec<u32>, y: &mut Vec<u32>) {
        match self {
            Self::Mercator => fixed::to_fixed(points, x, y),
            Self::Plane(frame) => {
                x.extend(points.lon().iter().map(|&position| frame.column(position) as u32));
                y.extend(points.lat().iter().map(|&position| frame.row(position) as u32));
            }
        }
    }

    /// The position of the units `x`, `y`: degrees of longitude and latitude, or meters on a plane.
    #[inline]
    pub fn position(self, x: u32, y: u32) -> (f64, f64) {
        match self {
            Self::Mercator => fixed::from_fixed(x, y),
            Self::Plane(frame) => frame.position(x, y),
        }
    }

    /// The frame of a plane; `None` for Mercator.
    pub fn plane(self) -> Option<PlaneFrame> {
        match self {
            Self::Mercator => None,
            Self::Plane(frame) => Some(frame),
        }
    }
}
