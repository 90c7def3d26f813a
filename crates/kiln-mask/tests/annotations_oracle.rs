//! Masks of annotations against OpenCV and pycocotools, of shapes that `annotations_oracle.py` makes.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use kiln_mask::annotations::{AnnotationFile, AnnotationOptions, read};
use serde_json::Value;

/// What the program prints as JSON, in the environment that `scripts/readers.sh` makes.
fn python(program: &str) -> Value {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/readers/bin/python");
    let run = Command::new(&python).args(["-c", program]).output();
    let output =
        run.unwrap_or_else(|error| panic!("cannot run {} ({error}): scripts/readers.sh installs it", python.display()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How far a point is from the nearest edge.
fn distance_to_edge(edges: &Value, x: f64, y: f64) -> f64 {
    let numbers = |list: &Value| list.as_array().unwrap().iter().map(|n| n.as_f64().unwrap()).collect::<Vec<_>>();
    let mut least = f64::INFINITY;
    for ring in edges.as_array().unwrap() {
        let (xs, ys) = (numbers(&ring[0]), numbers(&ring[1]));
        for from in 0..xs.len() {
            let to = (from + 1) % xs.len();
            let (dx, dy) = (xs[to] - xs[from], ys[to] - ys[from]);
            let length = dx * dx + dy * dy;
            let along = ((x - xs[from]) * dx + (y - ys[from]) * dy) / length;
            let along = if length > 0.0 { along.clamp(0.0, 1.0) } else { 0.0 };
            least = least.min((xs[from] + along * dx - x).hypot(ys[from] + along * dy - y));
        }
    }
    least
}

#[derive(Debug, Default)]
struct Differences {
    covered: usize,
    differ: usize,
    farthest: f64,
}

#[test]
fn shapes_cover_the_pixels_that_opencv_and_pycocotools_draw() {
    let cases = python(include_str!("annotations_oracle.py"));
    let cases = cases.as_array().unwrap();
    assert_eq!(cases.len(), 480);
    let mut kinds: BTreeMap<&str, Differences> = BTreeMap::new();
    for case in cases {
        let (kind, text) = (case["kind"].as_str().unwrap(), case["text"].as_str().unwrap());
        let side = |name: &str| case[name].as_u64().unwrap() as usize;
        let (width, height) = (side("width"), side("height"));
        let size = |side: usize| (kind == "yolo").then_some(side);
        let options = AnnotationOptions { width: size(width), height: size(height), ..AnnotationOptions::default() };
        let (mask, report) = read(&[AnnotationFile { name: "case", bytes: text.as_bytes() }], &options).unwrap();
        assert_eq!((mask.columns(), mask.rows(), report.labels), (width, height, 1), "{text}");
        let differences = kinds.entry(kind).or_default();
        for (at, expected) in case["mask"].as_array().unwrap().iter().enumerate() {
            let (row, column) = (at / width, at % width);
            let (own, expected) = (mask.value(row, column).unwrap(), expected.as_f64().unwrap());
            differences.covered += usize::from(expected > 0.0);
            if (own - expected).abs() > 0.0 {
                // COCO's coordinates are corners of pixels, Supervisely's their centers.
                let center = if matches!(kind, "coco" | "yolo") { 0.5 } else { 0.0 };
                let far = distance_to_edge(&case["edges"], column as f64 + center, row as f64 + center);
                differences.differ += 1;
                differences.farthest = differences.farthest.max(far);
            }
        }
    }
    assert_eq!(kinds.len(), 12);

    for (kind, differences) in kinds {
        assert!(differences.covered > 0, "{kind}");
        match kind {
            // pycocotools rounds vertices and edges to fifths of a pixel, so that centers nearer to an edge may be on its
            // other side.
            "coco" | "yolo" => {
                assert!(differences.farthest <= 0.25, "{kind}: {differences:?}");
                assert!(differences.differ * 100 <= differences.covered * 5, "{kind}: {differences:?}");
            }
            _ => assert_eq!(differences.differ, 0, "{kind}: {differences:?}"),
        }
    }
}
