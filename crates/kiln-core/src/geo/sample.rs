//! Systematic sampling of a stream of unknown length.

/// A systematic sample: up to `count` items, evenly spaced over the stream, in stream order. The sample is
/// deterministic, and its memory is bounded whatever the length of the stream.
#[derive(Clone, Debug)]
pub struct SystematicSample<T> {
    kept: Vec<T>,
    count: usize,
    /// Items whose index is a multiple of `step` are kept.
    step: u64,
    added: u64,
}

impl<T: Copy> SystematicSample<T> {
    /// Kept items per item of the sample: the spacing of the sample is even within one part in this number.
    const OVERSAMPLING: usize = 64;

    /// A sample of up to `count` items.
    pub fn new(count: usize) -> Self {
        Self { kept: Vec::new(), count, step: 1, added: 0 }
    }

    /// Adds the next item of the stream.
    pub fn push(&mut self, item: T) {
        if self.added.is_multiple_of(self.step) {
            if self.kept.len() == self.count * Self::OVERSAMPLING {
                let mut keep = false;
                self.kept.retain(|_| {
                    keep = !keep;
                    keep
                });
                self.step *= 2;
            }
            if self.added.is_multiple_of(self.step) {
                self.kept.push(item);
            }
        }
        self.added += 1;
    }

    /// Adds the next item of the stream `n` times.
    pub fn push_many(&mut self, item: T, n: u64) {
        let end = self.added.saturating_add(n);
        // The items in between are skipped, as `push` would.
        while let Some(next) = self.added.checked_next_multiple_of(self.step).filter(|next| *next < end) {
            self.added = next;
            self.push(item);
        }
        self.added = end;
    }

    /// The sample.
    pub fn items(&self) -> Vec<T> {
        let count = self.count.min(self.kept.len());
        (0..count).map(|i| self.kept[(2 * i + 1) * self.kept.len() / (2 * count)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_evenly_spaced_at_any_stream_length() {
        for length in [0, 1, 7, 8, 100, 511, 512, 513, 5000, 100_000_usize] {
            let mut sample = SystematicSample::new(8);
            (0..length).for_each(|item| sample.push(item));
            let items = sample.items();
            assert_eq!(items.len(), length.min(8), "{length}");
            assert!(sample.kept.len() <= 8 * SystematicSample::<usize>::OVERSAMPLING);
            for (i, item) in items.iter().enumerate() {
                let expected = (2 * i + 1) * length / (2 * items.len());
                assert!(item.abs_diff(expected) <= length / 100 + 1, "{length}: {items:?}");
            }
        }
        assert!(SystematicSample::<u8>::new(0).items().is_empty());
    }

    #[test]
    fn an_item_that_is_added_many_times_counts_as_often() {
        for numbers in [vec![1, 1, 1], vec![1000, 3, 0, 70_000, 1], vec![7; 900], vec![513, 1, 99_999]] {
            let (mut many, mut single) = (SystematicSample::new(8), SystematicSample::new(8));
            for (item, &n) in numbers.iter().enumerate() {
                many.push_many(item, n);
                (0..n).for_each(|_| single.push(item));
            }
            assert_eq!((many.kept, many.step, many.added), (single.kept, single.step, single.added), "{numbers:?}");
        }
        let mut large = SystematicSample::new(2);
        large.push_many(1, u64::MAX);
        large.push_many(2, 1);
        assert_eq!(large.items(), [1, 1]);
    }
}
