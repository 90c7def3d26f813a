//! Local time: the parts of times in a time zone, and filters by them.

mod local_clock;
mod part_filter;
mod part_set;
mod part_table;
mod time_part;
mod time_units;
mod zone;

pub use local_clock::LocalClock;
pub use part_filter::TimePartFilter;
pub use part_set::{Hours, Months, PartSet, Weekdays};
pub use part_table::PartTable;
pub use time_part::TimePart;
pub use time_units::TimeUnits;
pub use zone::{find_zone, offset_at, zone_name};
