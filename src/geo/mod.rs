//! Where things are: degrees, world units and pixels. No I/O, no color.
//!
//! [`Points`] are columns of coordinates; a [`Canvas`] says which ground a picture shows and with how many pixels;
//! a [`Projection`] leads from one to the other.

mod points;

pub use points::Points;
