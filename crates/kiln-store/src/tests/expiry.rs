//! Counts of old points before they are removed.

use kiln_core::geo::Points;
use kiln_core::source::{MemorySource, Query};

use super::store;
use crate::{Description, ExistingPoints, Expiry, Progress};

#[test]
fn the_count_of_old_points_is_that_of_the_removal() {
    let (_folder, store) = store();
    let times: Vec<i64> = (0..5000).map(|i| if i % 5 == 0 { Points::NO_TIME } else { i * 1000 }).collect();
    let lon: Vec<f64> = (0..5000).map(|i| f64::from(i % 180)).collect();
    let lat = vec![10.0; 5000];
    let points = Points::new(&lon, &lat).unwrap().with_time(&times).unwrap();
    for (index, before_us) in [i64::MIN + 1, 0, 1000, 1001, 2_500_000, 5_000_000, i64::MAX].into_iter().enumerate() {
        let layer = store.create(&format!("points-{index}"), Description::default()).unwrap();
        let prepared = layer.prepare_import(&MemorySource(points), &Query::default(), 2, &Progress::default()).unwrap();
        let expected = times.iter().filter(|&&time| time != Points::NO_TIME && time < before_us).count() as u64;
        let expiry = prepared.expiry(before_us).unwrap();
        assert_eq!(expiry, Expiry { points: 5000, expired: expected, time_us: Some([1000, 4_999_000]) });
        assert_eq!(layer.snapshot().points(), 0, "a prepared import changes nothing");
        layer.commit_import(prepared, ExistingPoints::Keep, None).unwrap();
        assert_eq!(layer.snapshot().expiry(before_us), expiry);
        let mut batch = layer.batch();
        batch.add(points);
        assert_eq!(batch.expiry(before_us), expiry);
        assert_eq!(layer.expire(before_us, 2, &Progress::default()).unwrap(), expected);
    }
}

#[test]
fn a_large_part_is_half_of_the_points_or_more() {
    let large = |points, expired| Expiry { points, expired, time_us: None }.is_large();
    assert!(large(1, 1) && large(4, 2) && large(5, 3));
    assert!(!large(0, 0) && !large(5, 2) && !large(5, 0));
}
