//! The character encoding of a text, which is converted to UTF-8 before anything else reads it.

use std::io::Read;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use encoding_rs_io::{DecodeReaderBytes, DecodeReaderBytesBuilder};

use super::format::Format;
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;
use kiln_core::source::ReadOptions;

/// The encoding from which an input that begins with `head` has to be converted: that of its byte order mark, else the one
/// that the options name, else UTF-16 where every other byte is zero. `None`: it is UTF-8, or no text.
pub(super) fn foreign_encoding(head: &[u8], options: &ReadOptions) -> Result<Option<&'static Encoding>> {
    let named = options.encoding.as_deref().map(by_label).transpose()?;
    if Format::is_binary(head) {
        return Ok(None);
    }
    let marked = Encoding::for_bom(head).map(|(encoding, _)| encoding);
    Ok(marked.or(named).or_else(|| without_mark(head)).filter(|&encoding| encoding != UTF_8))
}

/// The text of `reader` in UTF-8; what is invalid is replaced.
pub(super) fn decode<R: Read>(reader: R, encoding: &'static Encoding) -> DecodeReaderBytes<R, Vec<u8>> {
    DecodeReaderBytesBuilder::new().encoding(Some(encoding)).build(reader)
}

fn by_label(label: &str) -> Result<&'static Encoding> {
    Encoding::for_label_no_replacement(label.as_bytes()).ok_or_else(|| {
        let message = format!("`{label}` is unknown; expected a label such as `windows-1252`, `utf-16le` or `gbk`");
        Error::invalid(Parameter::ENCODING, message)
    })
}

/// UTF-16, if the first pairs of bytes are ASCII in it.
fn without_mark(head: &[u8]) -> Option<&'static Encoding> {
    const PAIRS: usize = 32;
    let pairs = || head.as_chunks::<2>().0.iter().take(PAIRS);
    let all = |is_it: fn(&[u8; 2]) -> bool| pairs().len() >= 2 && pairs().all(is_it);
    match () {
        () if all(|pair| matches!(pair, [1..=0x7F, 0])) => Some(UTF_16LE),
        () if all(|pair| matches!(pair, [0, 1..=0x7F])) => Some(UTF_16BE),
        () => None,
    }
}
