#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Axis {
    Lon,
    Lat,
}
pub(in crate::source) fn parse(t: &str, _a: Axis) -> Result<f64, String> {
    fast_float2::parse(t.trim()).map_err(|_| "is not a number".to_owned())
}
pub(in crate::source) fn hemisphere(t: &str, _a: Axis) -> Option<f64> {
    match t.trim() {
        "N" | "E" => Some(1.0),
        "S" | "W" => Some(-1.0),
        _ => None,
    }
}
