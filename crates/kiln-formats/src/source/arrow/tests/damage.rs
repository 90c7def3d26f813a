//! Damaged, truncated and changed files.

use super::*;

#[test]
fn other_files_and_truncated_files_are_errors() {
    let rows = batch(vec![("x", floats([1.0, 2.0])), ("y", floats([3.0, 4.0]))]);
    let [file, stream] = both(&[rows.clone(), rows]);
    let message = |file: &[u8]| error(file, &Query::default());
    let start = "points.arrow: not a complete Arrow file: ";
    assert_eq!(
        message(&file[..file.len() - 1]),
        format!("{start}the footer is missing; was the file still being written?")
    );
    assert_eq!(message(b"ARROW1"), format!("{start}the footer is missing; was the file still being written?"));
    assert_eq!(
        message(&stream[..stream.len() - 20]),
        format!("{start}it ends within a message; was the file truncated?")
    );
    assert_eq!(message(b""), format!("{start}the schema is missing"));
    assert_eq!(message(b"lon,lat\n1,2\n"), format!("{start}a message does not start with the marker 0xFFFFFFFF"));
    // The end-of-stream marker is optional.
    assert_eq!(scan(&stream[..stream.len() - 8], &Query::default()).unwrap().0.len(), 4);
    assert!(matches!(Arrow::open(Path::new("/no/such/file"), "gone".to_owned()), Err(Error::Io { .. })));
}

#[test]
fn a_file_that_changes_between_scans_is_an_error() {
    let rows = batch(vec![("x", floats([1.0, 2.0])), ("y", floats([3.0, 4.0]))]);
    let file = testing::file(file_with(&[rows], compressed(None)));
    let source = source(file.path()).unwrap();
    let bytes = file.as_file().metadata().unwrap().len();
    for changed in [bytes - 1, bytes + 1, 0] {
        file.as_file().set_len(changed).unwrap();
        let message = testing::scan(&source, &Query::default(), 1).unwrap_err().to_string();
        assert_eq!(message, "points.arrow: the file changed while it was read");
    }
}

#[test]
fn a_batch_whose_declared_decompressed_size_is_too_large_or_wrong_is_an_error() {
    let coordinates = || floats((0..5000).map(|i| f64::from(i % 7)));
    let file = file_with(
        &[batch(vec![("x", coordinates()), ("y", coordinates())])],
        compressed(Some(CompressionType::LZ4_FRAME)),
    );
    let size = 40_000i64.to_le_bytes();
    let offset = file.windows(8).position(|window| window == size).unwrap();
    for (claimed, expected) in
        [(1i64 << 40, "record batch, 1048576 MiB, exceeds 2048 MiB"), (40_001, "40001"), (39_999, "39999")]
    {
        let mut damaged = file.clone();
        damaged[offset..offset + 8].copy_from_slice(&claimed.to_le_bytes());
        let message = error(&damaged, &Query::default());
        assert!(
            message.starts_with("points.arrow: not a complete Arrow file: ") && message.contains(expected),
            "{message}"
        );
    }
}

#[test]
fn damage_at_any_offset_is_an_error_or_harmless() {
    let rows = 40;
    let part = || {
        let name = |i: usize| (!i.is_multiple_of(6)).then(|| ["a", "b", "a longer name of a category"][i % 3]);
        batch(vec![
            ("note", Arc::new(StringViewArray::from_iter((0..rows).map(name)))),
            ("lon", Arc::new(Float64Array::from_iter((0..rows).map(|i| (i % 5 != 0).then_some(i as f64))))),
            ("lat", floats((0..rows).map(|i| i as f64))),
            ("w", Arc::new(Int32Array::from_iter_values((0..rows).map(|i| i as i32 % 3)))),
            (
                "time",
                Arc::new(StringArray::from_iter((0..rows).map(|i| (i % 4 != 0).then(|| format!("20{}", 10 + i))))),
            ),
            ("kind", Arc::new(DictionaryArray::<Int8Type>::from_iter((0..rows).map(name)))),
        ])
    };
    let batches = [part(), part()];
    let query = marked().with_weights(true);
    let try_scan = |file: &[u8]| match scan_with(file, &query, 2) {
        Ok(_) | Err(Error::Input { .. }) => {}
        Err(other) => panic!("{other:?}"),
    };
    for codec in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
        // Compressed files differ only in their bodies, so fewer offsets suffice.
        let step = if codec.is_none() { 1 } else { 7 };
        for file in [file_with(&batches, compressed(codec)), stream_with(&batches, compressed(codec))] {
            for offset in (0..file.len()).step_by(step) {
                if offset % 16 == 0 {
                    try_scan(&file[..offset]);
                }
                let mut damaged = file.clone();
                damaged[offset] ^= [0x01, 0x80, 0xFF][offset % 3];
                try_scan(&damaged);
            }
        }
    }
}
