//! The checksum of a text file, as white space at its start.
//!
//! Rooms are JSON, which starts with any white space: the file stays readable for other programs, and for versions of Kiln
//! that know no checksum. A file that was cut has lost its end, and so not its checksum.

/// The length of a seal: a space or a tab for each bit of the checksum, and a newline.
const BYTES: usize = 33;

/// The white space that seals `text`: its CRC-32 (IEEE), a tab for 1 and a space for 0, the highest bit first.
pub(super) fn seal(text: &str) -> [u8; BYTES] {
    let crc = crc32fast::hash(text.as_bytes());
    let mut seal = [b'\n'; BYTES];
    for (bit, byte) in seal[..BYTES - 1].iter_mut().rev().enumerate() {
        *byte = if crc >> bit & 1 == 1 { b'\t' } else { b' ' };
    }
    seal
}

/// Removes the seal of a text. A text without a seal is one of a version of Kiln that knows none.
///
/// # Errors
/// If the seal is not that of the text.
pub(super) fn unseal(mut text: String) -> Result<String, &'static str> {
    let Some((own, _)) = text.as_bytes().split_first_chunk::<BYTES>() else { return Ok(text) };
    let [bits @ .., end] = own;
    if *end != b'\n' || !bits.iter().all(|byte| matches!(byte, b' ' | b'\t')) {
        return Ok(text);
    }
    // White space is one byte in UTF-8.
    if text.get(BYTES..).is_none_or(|rest| seal(rest) != *own) {
        return Err("the checksum does not match");
    }
    text.drain(..BYTES);
    Ok(text)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn any_flipped_bit_of_a_sealed_text_is_an_error_or_seen_by_its_parser() {
        let text = r#"{"type": "FeatureCollection", "features": []}"#;
        let sealed = [&seal(text)[..], text.as_bytes()].concat();
        assert_eq!(unseal(String::from_utf8(sealed.clone()).unwrap()).as_deref(), Ok(text));
        let parsed: serde_json::Value = serde_json::from_slice(&sealed).unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // White space may become other white space.
            let read = String::from_utf8(flipped).ok().and_then(|text| unseal(text).ok());
            let read = read.and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
            assert!(read.is_none_or(|read| read == parsed), "bit {bit}");
        }
        for unsealed in ["", "{}", text, &format!("{text}{}", " ".repeat(40))] {
            assert_eq!(unseal(unsealed.to_owned()).as_deref(), Ok(unsealed));
        }
    }
    #[test]
    fn no_part_of_a_sealed_text_is_one_without_a_seal() {
        let text = "{\"type\": \"FeatureCollection\", \"features\": []}\n \n";
        let sealed = [&seal(text)[..], text.as_bytes()].concat();
        for length in 0..sealed.len() {
            let cut = unseal(String::from_utf8(sealed[..length].to_vec()).unwrap());
            let parsed = cut.ok().and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
            assert_eq!(parsed, None, "{length}");
        }
        // One that was sealed twice is unsealed once.
        let twice = [&seal(std::str::from_utf8(&sealed).unwrap())[..], &sealed].concat();
        assert_eq!(unseal(String::from_utf8(twice).unwrap()).unwrap().as_bytes(), sealed);
    }
}
