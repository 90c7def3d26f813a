//! Formats of matrices.

mod encode;
mod json;

pub use encode::{encode_data, encode_layer};
pub use json::{write_json, write_table_json};

use serde::{Serialize, Serializer};

/// A number that is written as an integer if it has no fraction.
#[derive(Clone, Copy, Debug)]
struct Number(f64);

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        /// The absolute number up to which doubles are exact integers.
        const MAX_INTEGER: f64 = (1_u64 << 53) as f64;
        if self.0.fract() == 0.0 && self.0.abs() <= MAX_INTEGER {
            serializer.serialize_i64(self.0 as i64)
        } else {
            serializer.serialize_f64(self.0)
        }
    }
}
