//! Sums per room.

use super::grid::compared;
use super::{Aggregates, Compared, Profile, Quantity};

/// The sums of a room.
#[derive(Clone, Debug)]
pub struct RoomTotals {
    /// The name.
    pub name: String,
    /// The area in square meters; `None` of the space outside of all rooms.
    pub area_m2: Option<f64>,
    /// The aggregates of the points in the room.
    pub first: Aggregates,
    /// Those of the second time range of a comparison.
    pub second: Option<Aggregates>,
    /// The profile.
    pub profile: Option<Profile>,
    /// That of the second time range.
    pub compared_profile: Option<Profile>,
}

/// The sums of all rooms, in order. A point in several rooms counts in each of them.
#[derive(Clone, Debug)]
pub struct RoomTable {
    /// The rooms.
    pub rooms: Vec<RoomTotals>,
    /// The points in no room.
    pub outside: RoomTotals,
}

impl RoomTotals {
    /// The values.
    pub fn values(&self, quantity: Quantity) -> Compared {
        compared(quantity, &self.first, self.second.as_ref())
    }

    /// The value per square meter; `None` for means and maxima, and outside of all rooms.
    pub fn value_per_m2(&self, quantity: Quantity) -> Option<f64> {
        let area = self.area_m2.filter(|area| *area > 0.0 && quantity.is_additive())?;
        Some(self.values(quantity).value? / area)
    }
}
