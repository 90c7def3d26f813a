//! Character encodings. Text is converted to UTF-8 before it is parsed.

use std::io::Read;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};

use super::format::Format;
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use kiln_core::source::ReadOptions;

/// The source encoding of an input that starts with `head` and has to be converted to UTF-8: that of its byte order
/// mark, otherwise the one given in the options, otherwise UTF-16 if every second byte is zero. `None` for UTF-8 and
/// binary data.
///
/// # Errors
/// If the options name an unknown encoding.
pub(super) fn encoding_to_convert(head: &[u8], options: &ReadOptions) -> Result<Option<&'static Encoding>> {
    let configured = options.encoding.as_deref().map(by_label).transpose()?;
    if Format::is_binary(head) {
        return Ok(None);
    }
    let from_bom = Encoding::for_bom(head).map(|(encoding, _)| encoding);
    Ok(from_bom.or(configured).or_else(|| detect_utf_16(head)).filter(|&encoding| encoding != UTF_8))
}

/// Converts the text of `reader` to UTF-8. Invalid sequences are replaced.
pub(super) fn decode<R: Read>(reader: R, encoding: &'static Encoding) -> DecodeReaderBytes<R, Vec<u8>> {
    DecodeReaderBytesBuilder::new().encoding(Some(encoding)).build(reader)
}

fn by_label(label: &str) -> Result<&'static Encoding> {
    Encoding::for_label_no_replacement(label.as_bytes()).ok_or_else(|| {
        let message =
            format!("unknown encoding `{label}`; expected a label such as `windows-1252`, `utf-16le` or `gbk`");
        Error::invalid(Parameter::ENCODING, message)
    })
}

/// Detects UTF-16 without a byte order mark: the first 32 code units are ASCII characters.
fn detect_utf_16(head: &[u8]) -> Option<&'static Encoding> {
    const PAIRS: usize = 32;
    let pairs = || head.as_chunks::<2>().0.iter().take(PAIRS);
    let all = |is_ascii: fn(&[u8; 2]) -> bool| pairs().len() >= 2 && pairs().all(is_ascii);
    match () {
        () if all(|pair| matches!(pair, [1..=0x7F, 0])) => Some(UTF_16LE),
        () if all(|pair| matches!(pair, [0, 1..=0x7F])) => Some(UTF_16BE),
        () => None,
    }
}
