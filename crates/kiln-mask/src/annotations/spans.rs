//! Sets of pixels of a row, as half-open spans.

/// Columns from the first to before the second.
pub(super) type Span = (u32, u32);

/// Sorts spans and merges those that touch, so that each pixel is in one.
pub(super) fn unite(spans: &mut Vec<Span>) {
    spans.retain(|(start, end)| start < end);
    spans.sort_unstable();
    let mut kept = 0;
    for at in 0..spans.len() {
        let (start, end) = spans[at];
        if kept > 0 && start <= spans[kept - 1].1 {
            spans[kept - 1].1 = spans[kept - 1].1.max(end);
        } else {
            spans[kept] = (start, end);
            kept += 1;
        }
    }
    spans.truncate(kept);
}

/// Writes the pixels of `spans` that are in none of `holes` to `out`. Both are united.
pub(super) fn subtract(spans: &[Span], holes: &[Span], out: &mut Vec<Span>) {
    out.clear();
    let mut at = 0;
    for &(mut start, end) in spans {
        while at < holes.len() && holes[at].1 <= start {
            at += 1;
        }
        // The last hole may reach into the next span, so that it is looked at again.
        let mut next = at;
        while next < holes.len() && holes[next].0 < end {
            if start < holes[next].0 {
                out.push((start, holes[next].0));
            }
            start = start.max(holes[next].1);
            next += 1;
        }
        if start < end {
            out.push((start, end));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pixels(spans: &[Span]) -> Vec<u32> {
        spans.iter().flat_map(|(start, end)| *start..*end).collect()
    }

    proptest! {
        #[test]
        fn spans_are_sets_of_pixels(
            mut spans in proptest::collection::vec((0..40_u32, 0..40_u32), 0..8),
            mut holes in proptest::collection::vec((0..40_u32, 0..40_u32), 0..8),
        ) {
            let is_in = |spans: &[Span], x: u32| spans.iter().any(|(start, end)| (*start..*end).contains(&x));
            let expected: Vec<u32> = (0..40).filter(|x| is_in(&spans, *x)).collect();
            let without: Vec<u32> = expected.iter().copied().filter(|x| !is_in(&holes, *x)).collect();
            unite(&mut spans);
            prop_assert_eq!(pixels(&spans), expected);
            unite(&mut holes);
            let mut out = vec![(7, 9)];
            subtract(&spans, &holes, &mut out);
            prop_assert_eq!(pixels(&out), without);
        }
    }
}
