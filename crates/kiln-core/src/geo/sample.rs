//! A sample of a sequence whose length is not known.

/// A systematic sample: up to a number of items, evenly spaced over all that were added, in their order. It depends on the
/// sequence alone, and memory is bounded however long that is.
#[derive(Clone, Debug)]
pub struct SystematicSample<T> {
    kept: Vec<T>,
    count: usize,
    /// Every item whose number is a multiple of this is kept.
    step: u64,
    added: u64,
}

impl<T: Copy> SystematicSample<T> {
    /// Items kept per item of the sample, so that its items are evenly spaced to within a part of that.
    const SPARE: usize = 64;

    /// A sample of up to `count` items.
    pub fn new(count: usize) -> Self {
        Self { kept: Vec::new(), count, step: 1, added: 0 }
    }

    /// Adds the next item of the sequence.
    pub fn push(&mut self, item: T) {
        if self.added.is_multiple_of(self.step) {
            if self.kept.len() == self.count * Self::SPARE {
                let mut stays = false;
                self.kept.retain(|_| {
                    stays = !stays;
                    stays
                });
                self.step *= 2;
            }
            if self.added.is_multiple_of(self.step) {
                self.kept.push(item);
            }
        }
        self.added += 1;
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
    fn a_sample_is_evenly_spaced_however_long_the_sequence_is() {
        for length in [0, 1, 7, 8, 100, 511, 512, 513, 5000, 100_000_usize] {
            let mut sample = SystematicSample::new(8);
            (0..length).for_each(|item| sample.push(item));
            let items = sample.items();
            assert_eq!(items.len(), length.min(8), "{length}");
            assert!(sample.kept.len() <= 8 * SystematicSample::<usize>::SPARE);
            for (i, item) in items.iter().enumerate() {
                let middle = (2 * i + 1) * length / (2 * items.len());
                assert!(item.abs_diff(middle) <= length / 100 + 1, "{length}: {items:?}");
            }
        }
        assert!(SystematicSample::<u8>::new(0).items().is_empty());
    }
}
