//! The file of a floor plan in the store: a line of JSON with its properties, and the image.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use axum::body::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::FloorPlan;
use crate::error::{Error, Result};

/// The version of the format.
const FORMAT: u32 = 1;
/// The maximum length of the first line.
const MAX_HEADER_BYTES: u64 = 4096;

/// The first line. Files of versions of Kiln without checksums have none.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    /// CRC-32 (IEEE) of the text of `plan`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    crc32: Option<u32>,
    /// CRC-32 (IEEE) of the image and of the text of `plan`, in this order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    image_crc32: Option<u32>,
    plan: Box<RawValue>,
}

/// The checksum of the image and of the text of its plan.
fn image_crc32(image: &[u8], plan: &str) -> u32 {
    let mut crc = crc32fast::Hasher::new();
    crc.update(image);
    crc.update(plan.as_bytes());
    crc.finalize()
}

/// The first line of the file.
pub(super) fn header(plan: &FloorPlan, image: &[u8]) -> serde_json::Result<String> {
    let text = serde_json::to_string(plan)?;
    let (crc32, image_crc32) = (Some(crc32fast::hash(text.as_bytes())), Some(image_crc32(image, &text)));
    let header = Header { format: FORMAT, crc32, image_crc32, plan: RawValue::from_string(text)? };
    serde_json::to_string(&header).map(|line| line + "\n")
}

/// Reads the first line of the file of `layer`.
pub(super) fn read_plan(layer: &str, file: &mut impl BufRead) -> Result<FloorPlan> {
    read_header(layer, file).map(|(plan, _)| plan)
}

/// Reads the first line of the file of `layer`: the plan, and the checksum of the image with the text of the plan.
fn read_header(layer: &str, file: &mut impl BufRead) -> Result<(FloorPlan, Option<(u32, String)>)> {
    let damaged = |why: String| Error::damaged(format!("{layer}/floorplan"), why);
    let mut line = Vec::new();
    let read = file.by_ref().take(MAX_HEADER_BYTES).read_until(b'\n', &mut line);
    read.map_err(|error| Error::io(format!("{layer}/floorplan"), "read", error))?;
    let invalid = |error: serde_json::Error| damaged(error.to_string());
    let Header { format, crc32, image_crc32, plan: text } = serde_json::from_slice(&line).map_err(invalid)?;
    if format != FORMAT {
        return Err(damaged(format!("unsupported format {format}; this version of Kiln supports format {FORMAT}")));
    }
    let mismatch = crc32.is_some_and(|crc32| crc32 != crc32fast::hash(text.get().as_bytes()));
    if mismatch || crc32.is_some() != image_crc32.is_some() {
        return Err(damaged("the checksum does not match".to_owned()));
    }
    let plan = serde_json::from_str(text.get()).map_err(invalid)?;
    Ok((plan, image_crc32.map(|crc32| (crc32, text.get().to_owned()))))
}

/// Reads the file of `layer`.
pub(super) fn read_image(layer: &str, file: File) -> Result<(FloorPlan, Bytes)> {
    let mut file = BufReader::new(file);
    let (plan, crc32) = read_header(layer, &mut file)?;
    let mut image = Vec::new();
    let read = file.take(plan.bytes + 1).read_to_end(&mut image);
    read.map_err(|error| Error::io(format!("{layer}/floorplan"), "read", error))?;
    if image.len() as u64 != plan.bytes {
        let why = format!("the image does not have {} bytes", plan.bytes);
        return Err(Error::damaged(format!("{layer}/floorplan"), why));
    }
    if crc32.is_some_and(|(crc32, text)| crc32 != image_crc32(&image, &text)) {
        return Err(Error::damaged(format!("{layer}/floorplan"), "the checksum of the image does not match"));
    }
    Ok((plan, image.into()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{Cursor, Write};

    use super::super::ImageFormat;
    use super::*;

    fn file(parts: &[&[u8]]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        for part in parts {
            file.write_all(part).unwrap();
        }
        std::io::Seek::rewind(&mut file).unwrap();
        file
    }

    #[test]
    fn a_plan_is_read_back_and_a_damaged_file_is_an_error() {
        let bounds = [0.1, -2.5, 40.0, 1e6 + 0.3];
        let version = "00c0ffee".to_owned();
        let plan = FloorPlan { bounds, format: ImageFormat::WebP, width: 4, height: 3, bytes: 5, version };
        let line = header(&plan, b"image").unwrap();
        assert_eq!(read_plan("floor", &mut Cursor::new(&line)).unwrap(), plan);
        assert_eq!(
            read_image("floor", file(&[line.as_bytes(), b"image"])).unwrap(),
            (plan, Bytes::from_static(b"image"))
        );
        for (parts, word) in [
            (&[line.as_bytes(), b"imag"][..], "5 bytes"),
            (&[line.as_bytes(), b"images"], "5 bytes"),
            (&[&line.as_bytes()[..20]], "damaged"),
            (&[b""], "damaged"),
            (&[line.replace("\"format\":1", "\"format\":2").as_bytes()], "unsupported format 2"),
        ] {
            let message = read_image("floor", file(parts)).unwrap_err().to_string();
            assert!(message.starts_with("floor/floorplan: ") && message.contains(word), "{message}");
        }
    }

    #[test]
    fn any_flipped_bit_is_an_error_or_changes_nothing() {
        let version = "00c0ffee".to_owned();
        let plan = FloorPlan { bounds: [0.0; 4], format: ImageFormat::Png, width: 4, height: 3, bytes: 5, version };
        let line = header(&plan, b"image").unwrap();
        let whole = [line.as_bytes(), b"image"].concat();
        let read = |bytes: &[u8]| read_image("floor", file(&[bytes])).ok();
        let expected = read(&whole).unwrap();
        let mut rejected = 0;
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let read = read(&flipped);
            rejected += usize::from(read.is_none());
            assert!(read.is_none_or(|read| read == expected), "bit {bit}");
        }
        assert!(rejected > whole.len() * 7, "{rejected} of {} bits", whole.len() * 8);
        // Files of versions without checksums.
        let old = format!(r#"{{"format":1,"plan":{}}}"#, serde_json::to_string(&plan).unwrap()) + "\nimage";
        assert_eq!(read(old.as_bytes()).unwrap(), expected);
    }
}
