//! Points that are left out because their files are damaged.

/// The points of a set that are left out because their files are damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DamagedPoints {
    /// Number of damaged segments, the parts of a stored layer.
    pub segments: u64,
    /// Number of points in these segments; `None` if it is not published.
    pub points: Option<u64>,
    /// The damaged files, without their folders, each with the reason.
    pub reasons: Vec<String>,
}
