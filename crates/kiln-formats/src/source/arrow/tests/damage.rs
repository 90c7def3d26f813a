//! Files that are not what they should be.

use super::*;

#[test]
fn files_that_are_none_or_are_cut_short_say_so() {
    let rows = batch(vec![("x", floats([1.0, 2.0])), ("y", floats([3.0, 4.0]))]);
    let [file, stream] = both(&[rows.clone(), rows]);
    let message = |file: &[u8]| error(file, &Query::default());
    let start = "points.arrow: not a whole Arrow file: ";
    assert_eq!(message(&file[..file.len() - 1]), format!("{start}it has no footer; was it still being written?"));
    assert_eq!(message(b"ARROW1"), format!("{start}it has no footer; was it still being written?"));
    assert_eq!(
        message(&stream[..stream.len() - 20]),
        format!("{start}it ends in the middle of a message; was it cut off?")
    );
    assert_eq!(message(b""), format!("{start}it holds no schema"));
    assert_eq!(message(b"lon,lat\n1,2\n"), format!("{start}a message is not where it should be"));
    // A stream need not say that it ends.
    assert_eq!(scan(&stream[..stream.len() - 8], &Query::default()).unwrap().0.len(), 4);
    assert!(matches!(Arrow::open(Path::new("/no/such/file"), "gone".to_owned()), Err(Error::Io { .. })));
}

#[test]
fn a_file_that_changes_between_scans_is_an_error() {
    let rows = batch(vec![("x", floats([1.0, 2.0])), ("y", floats([3.0, 4.0]))]);
    let file = testing::file(file_with(&[rows], packed(None)));
    let source = source(file.path()).unwrap();
    let bytes = file.as_file().metadata().unwrap().len();
    for changed in [bytes - 1, bytes + 1, 0] {
        file.as_file().set_len(changed).unwrap();
        let message = testing::scan(&source, &Query::default(), 1).unwrap_err().to_string();
        assert_eq!(message, "points.arrow: the file changed while it was read");
    }
}

#[test]
fn a_batch_that_claims_to_unpack_to_more_than_memory_is_refused() {
    let place = || floats((0..5000).map(|i| f64::from(i % 7)));
    let file = file_with(&[batch(vec![("x", place()), ("y", place())])], packed(Some(CompressionType::LZ4_FRAME)));
    let size = 40_000i64.to_le_bytes();
    let at = file.windows(8).position(|window| window == size).unwrap();
    for (claimed, expected) in
        [(1i64 << 40, "unpacks to 1048576 MiB, more than 2048"), (40_001, "40001"), (39_999, "39999")]
    {
        let mut spoiled = file.clone();
        spoiled[at..at + 8].copy_from_slice(&claimed.to_le_bytes());
        let message = error(&spoiled, &Query::default());
        assert!(
            message.starts_with("points.arrow: not a whole Arrow file: ") && message.contains(expected),
            "{message}"
        );
    }
}

#[test]
fn damage_anywhere_is_an_error_or_harmless() {
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
        // What is packed differs in its bodies alone.
        let step = if codec.is_none() { 1 } else { 7 };
        for file in [file_with(&batches, packed(codec)), stream_with(&batches, packed(codec))] {
            for offset in (0..file.len()).step_by(step) {
                if offset % 16 == 0 {
                    try_scan(&file[..offset]);
                }
                let mut spoiled = file.clone();
                spoiled[offset] ^= [0x01, 0x80, 0xFF][offset % 3];
                try_scan(&spoiled);
            }
        }
    }
}
