use super::*;
use crate::Values;

/// An `.npy` file.
fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let order = if fortran { "True" } else { "False" };
    with_header(&format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n"), data)
}

fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\0".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn rows(mask: &Mask) -> Vec<Vec<Option<f64>>> {
    (0..mask.rows()).map(|row| (0..mask.columns()).map(|column| mask.value(row, column)).collect()).collect()
}

fn of(bytes: &[u8]) -> Mask {
    read(bytes, "mask", &ReadArrayOptions::default()).unwrap()
}

fn some<const N: usize>(values: [f64; N]) -> Vec<Option<f64>> {
    values.map(Some).to_vec()
}

fn rejection(bytes: &[u8], options: &ReadArrayOptions) -> String {
    let message = read(bytes, "mask", options).unwrap_err().to_string();
    assert!(message.starts_with("mask: ") && !message.contains('\n'), "{message}");
    message
}

fn plainly_refused(bytes: &[u8]) -> String {
    rejection(bytes, &ReadArrayOptions::default())
}

#[test]
fn numbers_of_each_type_and_byte_order_are_read() {
    macro_rules! check {
        ($($code:literal: $type:ty, $values:expr;)*) => {
            $(for big in [false, true] {
                let values: [$type; 2] = $values;
                let bytes: Vec<u8> = values
                    .iter()
                    .flat_map(|value| if big { value.to_be_bytes().to_vec() } else { value.to_le_bytes().to_vec() })
                    .collect();
                let descr = format!("{}{}", if big { '>' } else { '<' }, $code);
                let mask = of(&npy(&descr, false, "(1, 2)", &bytes));
                assert_eq!(rows(&mask)[0], values.map(|value| Some(f64::from(value))).to_vec(), "{descr}");
            })*
        };
    }
    check! {
        "i1": i8, [-128, 127];
        "u1": u8, [0, 255];
        "i2": i16, [-32768, 258];
        "u2": u16, [65535, 258];
        "i4": i32, [i32::MIN, 16_777_217];
        "u4": u32, [u32::MAX, 1];
        "f2": half::f16, [half::f16::from_f32(0.5), half::f16::from_f32(-65504.0)];
        "f4": f32, [0.1, f32::MAX];
        "f8": f64, [0.1, 1e300];
    }
    for (descr, number, expected) in
        [("<i8", i64::MAX.to_le_bytes(), 9.223_372_036_854_776e18), (">u8", [255; 8], 1.844_674_407_370_955_2e19)]
    {
        assert_eq!(rows(&of(&npy(descr, false, "(1, 1)", &number))), [some([expected])]);
    }
    assert_eq!(rows(&of(&npy("|b1", false, "(1, 3)", &[0, 1, 255]))), [some([0.0, 1.0, 1.0])]);
}

#[test]
fn orders_and_channels_are_rows_and_columns() {
    let bytes: Vec<u8> = (0..12).collect();
    let channels_first = ReadArrayOptions { channels_first: true, ..ReadArrayOptions::default() };
    assert_eq!(rows(&of(&npy("|u1", true, "(2, 3)", &bytes))), [some([0.0, 2.0, 4.0]), some([1.0, 3.0, 5.0])]);
    // Both orders of the same array: element [row, column, channel] = 6 · row + 2 · column + channel.
    let expected = [some([0.5, 2.5, 4.5]), some([6.5, 8.5, 10.5])];
    assert_eq!(rows(&of(&npy("|u1", false, "(2, 3, 2)", &bytes))), expected);
    let fortran = [0, 6, 2, 8, 4, 10, 1, 7, 3, 9, 5, 11];
    assert_eq!(rows(&of(&npy("|u1", true, "(2, 3, 2)", &fortran))), expected);
    let first = [0, 2, 4, 6, 8, 10, 1, 3, 5, 7, 9, 11];
    let mask = read(&npy("|u1", false, "(2, 2, 3)", &first), "mask", &channels_first).unwrap();
    assert_eq!(rows(&mask), expected);
    let fortran_first = [0, 1, 6, 7, 2, 3, 8, 9, 4, 5, 10, 11];
    let mask = read(&npy("|u1", true, "(2, 2, 3)", &fortran_first), "mask", &channels_first).unwrap();
    assert_eq!(rows(&mask), expected);
}

#[test]
fn arrays_that_look_like_another_layout_have_a_remark() {
    let remarks = |bytes: &[u8], options: &ReadArrayOptions| {
        let mask = read(bytes, "mask", options).unwrap();
        mask.remarks().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let default = ReadArrayOptions::default();
    let array = |shape: &str| npy("|u1", false, shape, &[0; 60]);
    let expected = "the array of 1 × 6 × 10 looks like channels × rows × columns; use channels_first";
    assert_eq!(remarks(&array("(1, 6, 10)"), &default), [expected]);
    assert_eq!(remarks(&array("(4, 3, 5)"), &default).len(), 1);
    let channels_first = ReadArrayOptions { channels_first: true, ..ReadArrayOptions::default() };
    assert_eq!(remarks(&array("(1, 6, 10)"), &channels_first).len(), 0);
    for shape in ["(5, 2, 6)", "(3, 5, 4)", "(6, 10)"] {
        assert_eq!(remarks(&array(shape), &default).len(), 0, "{shape}");
    }
    let labels = ["mask looks like YOLO labels; use annotations yolo to draw them"];
    assert_eq!(remarks(b"0 0.5 0.5 1 1\n1 0 0.25 0.5 1\n", &default), labels);
    assert_eq!(remarks(b"12 0 0 1 0 1 0.5\n", &default), labels);
    for text in ["0 1 1 0 1", "0 0.5 0.5 1 1 1", "0 0.5 0.5 1 2", "0.5 0.5 0.5 1 1", "0,0.5,0.5,1,1", "0 0.5 0.5 1"] {
        assert_eq!(remarks(text.as_bytes(), &default).len(), 0, "{text}");
    }
}

#[test]
fn headers_that_lie_or_are_broken_are_rejected_before_anything_is_allocated() {
    let cases: [(Vec<u8>, &str); 20] = [
        (npy("<f4", false, "(1000, 1000)", &[0; 8]), "only 8 bytes follow"),
        (npy("<f8", false, "(4294967296, 4294967296)", &[0; 8]), "exceed the limit of 134217728"),
        (npy("<f8", false, "(18446744073709551616, 1)", &[0; 8]), "exceeds every limit"),
        (npy("<f4", false, "(11586, 11586)", &[0; 8]), "11586 × 11586 cells exceed"),
        (npy("<f4", false, "(0, 5)", &[]), "without cells, 0 × 5"),
        (npy("<f4", false, "(5,)", &[0; 20]), "1 dimension, 5; expected 2"),
        (npy("<f4", false, "()", &[0; 4]), "a single number"),
        (npy("<f4", false, "(1, 1, 1, 1)", &[0; 4]), "4 dimensions"),
        (npy("<f4", false, "(-1, 5)", &[0; 4]), "expected a nonnegative integer"),
        (npy("|O", false, "(1, 1)", &[0; 8]), "not unpickled"),
        (npy("<c8", false, "(1, 1)", &[0; 8]), "complex numbers"),
        (npy("<M8[ns]", false, "(1, 1)", &[0; 8]), "times are unsupported"),
        (npy("|V8", false, "(1, 1)", &[0; 8]), "structured array"),
        (npy("<U3", false, "(1, 1)", &[0; 12]), "strings are unsupported"),
        (npy("f4", false, "(1, 1)", &[0; 4]), "no byte order"),
        (with_header("{'descr': [('a', '<f4')], 'shape': (1, 1)}", &[0; 4]), "structured array"),
        (with_header("{'descr': '<f4', 'shape': (1, 1)}", &[0; 4]), "no `fortran_order`"),
        (with_header("{'descr': '<f4", &[0; 4]), "expected a string"),
        (b"\x93NUMPY\x09\0".to_vec(), "version 9"),
        (b"\x93NUMPY\x02\0\xff\xff\xff\xff".to_vec(), "exceeds the limit of 10000"),
    ];
    for (bytes, expected) in cases {
        let message = plainly_refused(&bytes);
        assert!(message.contains(expected), "{message}");
    }
    let whole = npy("<f4", false, "(1, 1)", &[0; 4]);
    (1..whole.len()).for_each(|length| drop(plainly_refused(&whole[..length])));
}

fn npz(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in members {
        let method = zip::CompressionMethod::Deflated;
        writer.start_file(*name, zip::write::SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_member_of_an_archive_is_read_by_name() {
    let one = npy("|u1", false, "(1, 1)", &[7]);
    let two = npy("|u1", false, "(1, 1)", &[9]);
    assert_eq!(rows(&of(&npz(&[("notes.txt", Vec::new()), ("cam.npy", one.clone())]))), [some([7.0])]);
    let archive = npz(&[("cam.npy", one), ("mask.npy", two)]);
    assert!(plainly_refused(&archive).contains("2 members; set member to one of cam, mask"));
    for member in ["mask", "mask.npy"] {
        let options = ReadArrayOptions { member: Some(member.into()), ..ReadArrayOptions::default() };
        assert_eq!(rows(&read(&archive, "mask", &options).unwrap()), [some([9.0])]);
    }
    let options = ReadArrayOptions { member: Some("other".into()), ..ReadArrayOptions::default() };
    assert!(rejection(&archive, &options).contains("unknown member `other`; expected one of cam, mask"));
    assert!(rejection(b"1,2", &options).contains("not an .npz archive"));
    assert!(plainly_refused(&npz(&[("a.txt", Vec::new())])).contains("no .npy member"));
    assert!(plainly_refused(b"PK\x03\x04 and no more").contains("invalid .npz"));
}

#[test]
fn a_member_is_unpacked_no_further_than_the_limit() {
    let bomb = npz(&[("zeros.npy", npy("|u1", false, "(2000, 2000)", &vec![0; 4_000_000]))]);
    assert!(bomb.len() < 10_000);
    let options = ReadArrayOptions {
        limits: Limits { max_bytes: 1_000_000, ..Limits::default() },
        ..ReadArrayOptions::default()
    };
    assert!(rejection(&bomb, &options).contains("exceeds the limit of 1000000 bytes after decompression"));
    assert_eq!(of(&bomb).rows(), 2000);
}

#[test]
fn json_rows_are_read_with_what_python_writes_for_missing_values() {
    let mask = of(b" [[1, null, -2.5e3],\n [NaN, Infinity, -Infinity]] ");
    assert_eq!(rows(&mask)[0], [Some(1.0), None, Some(-2500.0)]);
    assert_eq!(rows(&mask)[1], [None, Some(f64::INFINITY), Some(f64::NEG_INFINITY)]);
    assert!(matches!(mask.values(), Values::Double(_)));
    assert_eq!(rows(&of(b"[[[1,3],[2,4]]]")), [some([2.0, 3.0])]);
    for (text, expected) in [
        ("[[1,2],[3]]", "a list of 1 elements; expected 2"),
        ("[1,2]", "a list of 2 numbers; expected a list of rows"),
        ("[]", "a list of 0 numbers"),
        ("[[]]", "without cells"),
        ("[[1,[2]]]", "a list where a number"),
        ("[[[1]],[2]]", "a number where a list"),
        ("[[[[1]]]]", "a list where a number"),
        ("[[1,2]", "the file ends"),
        ("[[1,2]]x", "follows the end"),
        ("[[1,\"2\"]]", "is not a number or null"),
        ("[[true]]", "is not a number or null"),
        ("[[1,]]", "is not a number or null"),
        ("[[1 2]]", "is not , or ]"),
    ] {
        let message = plainly_refused(text.as_bytes());
        assert!(message.contains(expected), "{text}: {message}");
    }
    let deep = "[".repeat(1_000_000);
    assert!(plainly_refused(deep.as_bytes()).contains("a list where a number"));
    let options =
        ReadArrayOptions { limits: Limits { max_cells: 3, ..Limits::default() }, ..ReadArrayOptions::default() };
    assert!(rejection(b"[[1,2],[3,4]]", &options).contains("limit of 3"));
}

#[test]
fn csv_is_read_with_each_delimiter() {
    let expected = [vec![Some(1.5), None, Some(3.0)], vec![Some(-4.0), Some(5e3), None]];
    for text in [
        "1.5,,3\n-4, 5e3 ,NaN\n",
        "1.5;;3\r\n-4;5e3;na\r\n",
        "# x\n1.5\t\t3\n\n-4\t5e3\tnull",
        "1.5 nan  3\n-4 5e3 nan",
    ] {
        assert_eq!(rows(&of(text.as_bytes())), expected, "{text}");
    }
    assert_eq!(rows(&of(b"7")), [some([7.0])]);
    for (text, expected) in [
        ("1,2\n3\n", "line 2: 1 numbers; expected 2, as in the lines before"),
        ("a,b\n1,2\n", "line 1, column 1: invalid number `a`; expected numbers without a header"),
        ("# only a comment", "without cells"),
    ] {
        assert!(plainly_refused(text.as_bytes()).contains(expected), "{text}");
    }
}

#[test]
fn other_files_are_rejected_with_what_is_read() {
    for bytes in [&b"{\"a\": 1}"[..], b"\x89HDF\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"\0\0\0", b"   "] {
        assert!(plainly_refused(bytes).contains(ArrayFormat::ACCEPTED));
    }
    assert!(plainly_refused(b"").contains("empty"));
    let options =
        ReadArrayOptions { limits: Limits { max_bytes: 2, ..Limits::default() }, ..ReadArrayOptions::default() };
    assert!(rejection(b"1,2", &options).contains("limit of 2 bytes"));
    assert!(read_from(&b"1,2,3"[..], "-", &options).unwrap_err().to_string().contains("limit of 2 bytes"));
}

fn png(color: ::png::ColorType, depth: ::png::BitDepth, (width, height): (u32, u32), data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(color);
    encoder.set_depth(depth);
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(data).unwrap();
    writer.finish().unwrap();
    bytes
}

#[test]
fn png_pixels_are_values() {
    use ::png::{BitDepth, ColorType};
    let sixteen = png(ColorType::Grayscale, BitDepth::Sixteen, (2, 1), &[1, 2, 255, 255]);
    assert_eq!(rows(&of(&sixteen)), [some([258.0, 65535.0])]);
    let colors = png(ColorType::Rgba, BitDepth::Eight, (2, 1), &[1, 2, 4, 9, 1, 2, 3, 0]);
    assert_eq!(rows(&of(&colors)), [vec![Some(7.0 / 3.0), None]]);
    let bits = png(ColorType::Grayscale, BitDepth::One, (2, 1), &[0b0100_0000]);
    assert_eq!(rows(&of(&bits)), [some([0.0, 255.0])]);
    (9..sixteen.len() - 20).for_each(|length| drop(plainly_refused(&sixteen[..length])));
}

#[test]
fn a_png_that_claims_more_pixels_than_its_bytes_can_have_is_rejected() {
    let mut bytes = png(::png::ColorType::Grayscale, ::png::BitDepth::Eight, (1, 1), &[0]);
    bytes[16..24].copy_from_slice(&[0, 0, 0x27, 0x10, 0, 0, 0x27, 0x10]);
    // The checksum of the changed header.
    let mut crc = flate2::Crc::new();
    crc.update(&bytes[12..29]);
    bytes[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    assert!(plainly_refused(&bytes).contains("10000 × 10000 pixels are more than"));
}

fn tiff<C: ::tiff::encoder::colortype::ColorType>(
    (width, height): (u32, u32),
    no_data: Option<&str>,
    samples: &[C::Inner],
) -> Vec<u8>
where
    [C::Inner]: ::tiff::encoder::TiffValue,
{
    let mut bytes = std::io::Cursor::new(Vec::new());
    let mut encoder = ::tiff::encoder::TiffEncoder::new(&mut bytes).unwrap();
    let mut image = encoder.new_image::<C>(width, height).unwrap();
    if let Some(no_data) = no_data {
        image.encoder().write_tag(::tiff::tags::Tag::GdalNodata, no_data).unwrap();
    }
    image.write_data(samples).unwrap();
    bytes.into_inner()
}

#[test]
fn tiff_bands_are_values_and_gdals_mark_is_no_data() {
    use ::tiff::encoder::colortype::{Gray8, Gray32, Gray32Float, Gray64Float, GrayI16, RGB8, RGBA8};
    assert_eq!(rows(&of(&tiff::<Gray8>((2, 1), Some("255"), &[7, 255]))), [vec![Some(7.0), None]]);
    assert_eq!(rows(&of(&tiff::<GrayI16>((1, 2), Some("-9999"), &[-9999, 3]))), [vec![None], vec![Some(3.0)]]);
    let lowest = f32::MIN;
    let floats = tiff::<Gray32Float>((2, 1), Some("-3.4028234663852886e+38"), &[lowest, 0.5]);
    assert_eq!(rows(&of(&floats)), [vec![None, Some(0.5)]]);
    assert_eq!(rows(&of(&tiff::<Gray64Float>((2, 1), Some("nan"), &[f64::NAN, 0.1]))), [vec![None, Some(0.1)]]);
    assert_eq!(rows(&of(&tiff::<Gray32>((2, 1), None, &[4_000_000_000, 0]))), [some([4e9, 0.0])]);
    // Beyond what f32 can tell apart.
    let near = tiff::<Gray32>((2, 1), Some("4294967295"), &[4_294_967_295, 4_294_967_294]);
    assert_eq!(rows(&of(&near)), [vec![None, Some(4_294_967_294.0)]]);
    assert_eq!(rows(&of(&tiff::<RGB8>((1, 1), None, &[1, 2, 6]))), [some([3.0])]);
    assert_eq!(rows(&of(&tiff::<RGBA8>((2, 1), None, &[1, 2, 6, 1, 9, 9, 9, 0]))), [vec![Some(3.0), None]]);
    let whole = tiff::<Gray8>((2, 1), None, &[7, 255]);
    (5..whole.len()).for_each(|length| drop(read(&whole[..length], "mask", &ReadArrayOptions::default())));
    let big = ReadArrayOptions { limits: Limits { max_cells: 1, ..Limits::default() }, ..ReadArrayOptions::default() };
    assert!(rejection(&whole, &big).contains("limit of 1"));
}

#[test]
fn an_error_has_the_limit_that_is_exceeded() {
    let bound = |max_cells, max_bytes| ReadArrayOptions {
        limits: Limits { max_cells, max_bytes },
        ..ReadArrayOptions::default()
    };
    let exceeded = |bytes: &[u8], options: &ReadArrayOptions| read(bytes, "mask", options).unwrap_err().limit();
    for bytes in [&npy("<f4", false, "(2, 2)", &[0; 16])[..], b"[[1,2],[3,4]]", b"1,2\n3,4\n"] {
        assert_eq!(exceeded(bytes, &bound(3, 1 << 20)), Some(Limit::Cells));
        assert_eq!(exceeded(bytes, &bound(100, bytes.len() - 1)), Some(Limit::Bytes));
        assert!(read(bytes, "mask", &bound(4, 1 << 20)).is_ok());
    }
    // Broken files whose messages have the same numbers exceed no limit.
    for bytes in [&b"[[1,2],[3]]"[..], b"x,y\n", b"", b"\x93NUMPY\x01\0"] {
        assert_eq!(exceeded(bytes, &bound(3, 1 << 20)), None, "{bytes:?}");
    }
}
