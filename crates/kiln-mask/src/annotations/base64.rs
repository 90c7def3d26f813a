//! Base64 decoding (RFC 4648).

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padding is optional, because writers differ.
const READER: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes Base64; white space is ignored.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, String> {
    let is_plain = !text.bytes().any(|byte| byte.is_ascii_whitespace());
    let decoded = if is_plain {
        READER.decode(text)
    } else {
        READER.decode(text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect::<Vec<_>>())
    };
    decoded.map_err(|error| format!("invalid Base64: {error}"))
}
