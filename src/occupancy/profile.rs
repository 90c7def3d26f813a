//! Profiles: values per hour of the week or the day.

use std::fmt;
use std::str::FromStr;

use super::{Aggregates, OccupancyGrid, Quantity};
use crate::error::{Error, Result};
use crate::parameter::Parameter;
use crate::parameters::from_str_values;

/// The period of a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProfileKind {
    /// 168 hours, from Monday, 0 to 1 o'clock.
    HourOfWeek,
    /// 24 hours.
    HourOfDay,
}

impl ProfileKind {
    /// The names, in the order of the variants.
    pub const NAMES: &[&str] = &["hour_of_week", "hour_of_day"];

    /// The number of values.
    pub fn hours(self) -> usize {
        match self {
            Self::HourOfWeek => 168,
            Self::HourOfDay => 24,
        }
    }
}

impl FromStr for ProfileKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "hour_of_week" => Ok(Self::HourOfWeek),
            "hour_of_day" => Ok(Self::HourOfDay),
            _ => {
                let message = format!("`{text}` is unknown; expected one of {}", Self::NAMES.join(", "));
                Err(Error::invalid(Parameter::PROFILE, message))
            }
        }
    }
}

impl fmt::Display for ProfileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::NAMES[*self as usize])
    }
}

from_str_values!(ProfileKind);

/// The aggregates of the points of each hour.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile(Vec<Aggregates>);

impl Profile {
    /// Folds the groups of a grid by hour of the week. Points without a time are in no hour.
    pub fn of(kind: ProfileKind, grid: &OccupancyGrid) -> Self {
        let mut hours = vec![Aggregates::default(); kind.hours()];
        for group in &grid.groups {
            // The hour 0 is the first of Monday, so the hour of the day is the remainder.
            let hour = usize::try_from(group.key.period).ok().map(|hour| hour % kind.hours());
            if let Some(hour) = hour.and_then(|hour| hours.get_mut(hour)) {
                hour.add(&group.into());
            }
        }
        Self(hours)
    }

    /// The value of each hour; `None` if it has none.
    pub fn values(&self, quantity: Quantity) -> Vec<Option<f64>> {
        self.0.iter().map(|hour| quantity.value(hour).filter(|value| !value.is_nan())).collect()
    }

    /// The profile of the points in `self` and not in the subset `part`.
    #[must_use]
    pub fn without(&self, part: &Self) -> Self {
        Self(self.0.iter().zip(&part.0).map(|(all, part)| all.without(part)).collect())
    }

    /// The number of points.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|hour| hour.count).sum()
    }
}
