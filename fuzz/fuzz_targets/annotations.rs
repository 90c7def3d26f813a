#![no_main]

use kiln_mask::annotations::{AnnotationFile, AnnotationFormat, AnnotationLimits, AnnotationOptions, class_names, read};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let limits = AnnotationLimits { max_bytes: 1 << 16, max_cells: 1 << 16, max_labels: 1 << 10, max_vertices: 1 << 16, max_steps: 1 << 20 };
    let names = std::str::from_utf8(data).ok().and_then(|text| class_names(text, "names").ok()).unwrap_or_default();
    let formats = [None, Some(AnnotationFormat::Supervisely), Some(AnnotationFormat::Coco), Some(AnnotationFormat::Yolo)];
    // As large as the images, and another size than most of them.
    for (format, side) in formats.into_iter().flat_map(|format| [(format, None), (format, Some(31))]) {
        let options = AnnotationOptions {
            format,
            names: names.clone(),
            skip_crowds: side.is_some(),
            width: side,
            height: side.map(|side| side + 6),
            limits,
            ..AnnotationOptions::default()
        };
        let Ok((mask, report)) = read(&[AnnotationFile { name: "file", bytes: data }], &options) else {
            continue;
        };
        assert!(mask.rows() * mask.columns() <= limits.max_cells);
        assert!(report.labels > 0 && report.clipped <= report.labels);
        assert!(report.labels + report.rejected + report.filtered <= limits.max_labels);
        assert_eq!(report.classes.iter().map(|(_, labels)| labels).sum::<usize>(), report.labels);
        // A label adds 1 to a pixel, or nothing.
        let (least, most) = mask.range().expect("counts are finite");
        assert!(least >= 0.0 && most <= report.labels as f64 && most.fract() == 0.0);
    }
});
