//! A reader of Protocol Buffers without a schema, and the spans of an export request of OTLP.

use std::collections::BTreeMap;

/// A field of a message.
enum Field<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

/// The fields of a message, each with its number.
fn fields(mut bytes: &[u8]) -> Vec<(u64, Field<'_>)> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let field = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => Field::Number(u64::from_le_bytes(take(&mut bytes, 8).try_into().unwrap())),
            2 => {
                let length = varint(&mut bytes) as usize;
                Field::Bytes(take(&mut bytes, length))
            }
            5 => Field::Number(u32::from_le_bytes(take(&mut bytes, 4).try_into().unwrap()).into()),
            other => panic!("wire type {other}"),
        };
        fields.push((tag >> 3, field));
    }
    fields
}

fn take<'b>(bytes: &mut &'b [u8], count: usize) -> &'b [u8] {
    let (first, rest) = bytes.split_at(count);
    *bytes = rest;
    first
}

fn varint(bytes: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..).step_by(7) {
        let byte = take(bytes, 1)[0];
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            break;
        }
    }
    value
}

/// The messages in the fields `number` of a message.
fn messages(bytes: &[u8], number: u64) -> Vec<&[u8]> {
    let found = fields(bytes).into_iter().filter(|(field, _)| *field == number);
    found.filter_map(|(_, field)| if let Field::Bytes(bytes) = field { Some(bytes) } else { None }).collect()
}

fn number(bytes: &[u8], number: u64) -> u64 {
    let found = fields(bytes).into_iter().find(|(field, _)| *field == number);
    found.map_or(0, |(_, field)| if let Field::Number(value) = field { value } else { 0 })
}

fn text(bytes: &[u8], number: u64) -> String {
    String::from_utf8(messages(bytes, number).concat()).unwrap()
}

fn hex(bytes: &[u8], number: u64) -> String {
    messages(bytes, number).concat().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Attributes by name: texts, or numbers as text.
fn attributes(bytes: &[u8], field: u64) -> BTreeMap<String, String> {
    let value = |pair: &[u8]| {
        let value = messages(pair, 2).concat();
        if messages(&value, 1).is_empty() { number(&value, 3).to_string() } else { text(&value, 1) }
    };
    messages(bytes, field).into_iter().map(|pair| (text(pair, 1), value(pair))).collect()
}

/// A span of OTLP.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) trace: String,
    pub(crate) id: String,
    pub(crate) parent: String,
    pub(crate) name: String,
    /// 1 is internal, 2 a server, 3 a client.
    pub(crate) kind: u64,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) attributes: BTreeMap<String, String>,
    /// 2 is an error.
    pub(crate) status: u64,
}

/// The spans of an `ExportTraceServiceRequest`.
pub(crate) fn spans(request: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    for resource_spans in messages(request, 1) {
        let resource = attributes(&messages(resource_spans, 1).concat(), 1);
        for span in messages(resource_spans, 2).into_iter().flat_map(|scope_spans| messages(scope_spans, 2)) {
            spans.push(Span {
                service: resource["service.name"].clone(),
                trace: hex(span, 1),
                id: hex(span, 2),
                parent: hex(span, 4),
                name: text(span, 5),
                kind: number(span, 6),
                start_ns: number(span, 7),
                end_ns: number(span, 8),
                attributes: attributes(span, 9),
                status: number(&messages(span, 15).concat(), 3),
            });
        }
    }
    spans
}
