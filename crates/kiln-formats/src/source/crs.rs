use kiln_core::parameter::Message;
#[derive(Clone, Debug)]
pub(in crate::source) struct Crs;
impl Crs {
    pub(in crate::source) fn parse(_t: &str) -> Result<Self, Message> {
        Ok(Self)
    }
    pub(in crate::source) fn taken_as_wgs84(&self) -> Option<&str> {
        None
    }
    pub(in crate::source) fn needs_transform(&self) -> bool {
        false
    }
    pub(in crate::source) fn to_degrees(&self, _x: &mut [f64], _y: &mut [f64]) {}
}
