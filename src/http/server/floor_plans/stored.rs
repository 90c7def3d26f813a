//! The file of a floor plan in the store: a line of JSON with its properties, and the image.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use axum::body::Bytes;
use serde::{Deserialize, Serialize};

use super::FloorPlan;
use crate::error::{Error, Result};

/// The version of the format.
const FORMAT: u32 = 1;
/// The maximum length of the first line.
const MAX_HEADER_BYTES: u64 = 4096;

#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    plan: FloorPlan,
}

/// The first line of the file.
pub(super) fn header(plan: &FloorPlan) -> serde_json::Result<String> {
    serde_json::to_string(&Header { format: FORMAT, plan: plan.clone() }).map(|line| line + "\n")
}

/// Reads the first line of the file of `layer`.
pub(super) fn read_plan(layer: &str, file: &mut impl BufRead) -> Result<FloorPlan> {
    let damaged = |why: String| Error::input(format!("{layer}/floorplan"), format!("it is damaged: {why}"));
    let mut line = Vec::new();
    let read = file.by_ref().take(MAX_HEADER_BYTES).read_until(b'\n', &mut line);
    read.map_err(|error| Error::io(format!("{layer}/floorplan"), "read", error))?;
    let Header { format, plan } = serde_json::from_slice(&line).map_err(|error| damaged(error.to_string()))?;
    if format != FORMAT {
        return Err(damaged(format!("unsupported format {format}; this version of Kiln supports format {FORMAT}")));
    }
    Ok(plan)
}

/// Reads the file of `layer`.
pub(super) fn read_image(layer: &str, file: File) -> Result<(FloorPlan, Bytes)> {
    let mut file = BufReader::new(file);
    let plan = read_plan(layer, &mut file)?;
    let mut image = Vec::new();
    let read = file.take(plan.bytes + 1).read_to_end(&mut image);
    read.map_err(|error| Error::io(format!("{layer}/floorplan"), "read", error))?;
    if image.len() as u64 != plan.bytes {
        let why = format!("it is damaged: the image does not have {} bytes", plan.bytes);
        return Err(Error::input(format!("{layer}/floorplan"), why));
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
        let line = header(&plan).unwrap();
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
}
