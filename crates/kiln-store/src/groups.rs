//! Rows of bins of the same cell, time and category, which are merged into one.

use super::rows::Rows;

impl Rows {
    /// Sorts the rows by their keys. Rows of bins of the same cell, time and category become one, if its number of points
    /// does not exceed `max_n`.
    pub(super) fn sort_and_merge(&mut self, max_n: u64) {
        self.sort();
        let has_several = self.level.is_some() && self.keys.windows(2).any(|keys| keys[0] == keys[1]);
        if !has_several {
            return;
        }
        self.sort_cells();
        let mut keep = vec![true; self.len()];
        let mut first = 0;
        for (row, is_kept) in keep.iter_mut().enumerate().skip(1) {
            let n = self.n[first].saturating_add(self.n[row]);
            if n > max_n || self.group(row) != self.group(first) {
                first = row;
                continue;
            }
            self.n[first] = n;
            if !self.sum.is_empty() {
                self.sum[first] += self.sum[row];
            }
            if let (Some(&one), Some(&other)) = (self.weight.get(first), self.weight.get(row)) {
                // NaN: the greatest weight is unknown.
                self.weight[first] = if one.is_nan() || other.is_nan() { f32::NAN } else { one.max(other) };
            }
            *is_kept = false;
        }
        if keep.contains(&false) {
            *self = std::mem::take(self).retained(&keep);
        }
    }

    /// Sorts the rows of each cell by time and category. The rows are sorted by their keys, and the sort is stable.
    fn sort_cells(&mut self) {
        if self.time_us.is_empty() && self.category.is_empty() && self.track.is_empty() {
            return;
        }
        let mut order: Vec<(u64, u32)> = self.keys.iter().copied().zip(0..).collect();
        for cell in order.chunk_by_mut(|one, other| one.0 == other.0).filter(|cell| cell.len() > 1) {
            cell.sort_by_key(|(_, row)| self.group(*row as usize));
        }
        self.reorder(&order);
    }

    /// The cell, time, category and track of a row.
    fn group(&self, row: usize) -> (u64, Option<i64>, Option<u32>, Option<u64>) {
        let (time, category, track) = (self.time_us.get(row), self.category.get(row), self.track.get(row));
        (self.keys[row], time.copied(), category.copied(), track.copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Rows {
        Rows {
            keys: vec![9, 3, 3, 3, 3, 3],
            level: Some(32),
            n: vec![1, 2, 3, 4, 5, 250],
            sum: vec![1.0, 2.5, 3.0, 4.0, 5.0, 0.5],
            weight: vec![1.0, 2.0, 1.0, f32::NAN, 3.0, 0.25],
            time_us: vec![7, 8, 6, 8, 6, 8],
            ..Rows::default()
        }
    }

    #[test]
    fn rows_of_bins_of_the_same_cell_and_time_are_one() {
        let mut merged = rows();
        merged.sort_and_merge(u64::MAX);
        assert_eq!((&merged.keys[..], &merged.time_us[..]), (&[3, 3, 9][..], &[6, 8, 7][..]));
        assert_eq!((&merged.n[..], &merged.sum[..]), (&[8, 256, 1][..], &[8.0, 7.0, 1.0][..]));
        // An unknown maximum stays unknown.
        assert!((merged.weight[0], merged.weight[2]) == (3.0, 1.0) && merged.weight[1].is_nan());
        // A row whose number of points would exceed the limit stays apart.
        let mut merged = rows();
        merged.sort_and_merge(255);
        assert_eq!(merged.n, [8, 6, 250, 1]);
        let mut points = Rows { level: None, n: Vec::new(), sum: Vec::new(), ..rows() };
        points.sort_and_merge(u64::MAX);
        assert_eq!(points.len(), 6);
    }
}
