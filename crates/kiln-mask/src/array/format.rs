//! Which format an array has.

/// A format of arrays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArrayFormat {
    /// A NumPy array.
    Npy,
    /// A zip archive of NumPy arrays.
    Npz,
    /// A list of rows, each a list of numbers; null is no data.
    Json,
    /// Rows of numbers between commas, semicolons, tabs or spaces.
    Csv,
    /// A PNG image.
    Png,
    /// A TIFF or GeoTIFF image.
    Tiff,
}
