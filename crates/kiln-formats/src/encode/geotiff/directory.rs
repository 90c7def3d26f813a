//! The header and the directories of a TIFF, which are lists of tags.

use tiff::tags::Tag;

use super::GeoReference;

/// The header of a file whose first directory follows it.
pub(super) fn header(is_big: bool) -> Vec<u8> {
    let mut head = b"II".to_vec();
    if is_big {
        for word in [43u16, 8, 0] {
            head.extend_from_slice(&word.to_le_bytes());
        }
        head.extend_from_slice(&16u64.to_le_bytes());
    } else {
        head.extend_from_slice(&42u16.to_le_bytes());
        head.extend_from_slice(&8u32.to_le_bytes());
    }
    head
}

/// The tags of a georeference.
pub(super) fn georeference(reference: &GeoReference) -> Vec<(u16, Values)> {
    let GeoReference { crs, west, north, pixel_width, pixel_height } = *reference;
    let mut tags = vec![
        (Tag::ModelPixelScaleTag.to_u16(), Values::Double(vec![pixel_width, pixel_height, 0.0])),
        (Tag::ModelTiepointTag.to_u16(), Values::Double(vec![0.0, 0.0, 0.0, west, north, 0.0])),
    ];
    if let Some((keys, citations)) = crs.keys() {
        tags.push((Tag::GeoKeyDirectoryTag.to_u16(), Values::Short(keys)));
        tags.push((Tag::GeoAsciiParamsTag.to_u16(), Values::Ascii(citations.to_owned())));
    }
    tags
}

/// The values of a tag.
pub(super) enum Values {
    Short(Vec<u16>),
    Long(Vec<u32>),
    Long8(Vec<u64>),
    Double(Vec<f64>),
    Ascii(String),
}

impl Values {
    /// The TIFF code of their type, their number, and their bytes.
    fn encoded(&self) -> (u16, u64, Vec<u8>) {
        match self {
            Self::Short(values) => {
                (3, values.len() as u64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            Self::Long(values) => {
                (4, values.len() as u64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            Self::Long8(values) => {
                (16, values.len() as u64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            Self::Double(values) => {
                (12, values.len() as u64, values.iter().flat_map(|value| value.to_le_bytes()).collect())
            }
            Self::Ascii(text) => (2, text.len() as u64 + 1, text.bytes().chain([0]).collect()),
        }
    }
}

/// Appends a directory, followed by the values that do not fit in its entries. The tags must be in ascending order.
pub(super) fn write_directory(head: &mut Vec<u8>, tags: &[(u16, Values)], is_big: bool, is_last: bool) {
    let word = |value: u64| value.to_le_bytes()[..if is_big { 8 } else { 4 }].to_vec();
    let inline_bytes = if is_big { 8 } else { 4 };
    let directory_bytes = if is_big { 8 + 20 * tags.len() + 8 } else { 2 + 12 * tags.len() + 4 };
    let mut overflow: Vec<u8> = Vec::new();
    let overflow_offset = (head.len() + directory_bytes).next_multiple_of(8);
    if is_big {
        head.extend_from_slice(&(tags.len() as u64).to_le_bytes());
    } else {
        head.extend_from_slice(&(tags.len() as u16).to_le_bytes());
    }
    for (tag, values) in tags {
        let (type_code, count, mut bytes) = values.encoded();
        head.extend_from_slice(&tag.to_le_bytes());
        head.extend_from_slice(&type_code.to_le_bytes());
        head.extend_from_slice(&word(count));
        if bytes.len() <= inline_bytes {
            bytes.resize(inline_bytes, 0);
            head.extend_from_slice(&bytes);
        } else {
            head.extend_from_slice(&word((overflow_offset + overflow.len()) as u64));
            overflow.extend_from_slice(&bytes);
            overflow.resize(overflow.len().next_multiple_of(8), 0);
        }
    }
    let next = if is_last { 0 } else { overflow_offset + overflow.len() };
    head.extend_from_slice(&word(next as u64));
    head.resize(overflow_offset, 0);
    head.extend_from_slice(&overflow);
}
