//! stub
use kiln_core::source::AxisOrder;
pub(in crate::source) mod coordinate;
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Encoding {
    Wkb,
    GeoPackage,
    Text,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum TextEncoding {
    Pair,
    Other,
}
pub(in crate::source) fn read(
    _e: Encoding,
    bytes: &[u8],
    _o: Option<AxisOrder>,
    out: &mut Vec<[f64; 2]>,
) -> Result<(), String> {
    let b = bytes.get(5..21).ok_or("short")?;
    let f = |i: usize| f64::from_le_bytes(b[i..i + 8].try_into().unwrap_or_default());
    out.push([f(0), f(8)]);
    Ok(())
}
pub(in crate::source) fn sniff(_t: &str) -> Option<TextEncoding> {
    None
}
pub(in crate::source) fn srid(_t: &str) -> Option<u32> {
    None
}
