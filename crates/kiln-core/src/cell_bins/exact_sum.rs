//! Exact sums of floating-point numbers.

/// The exact sum of floating-point numbers, rounded once when it is read, so it does not depend on their order.
///
/// The sum is an unevaluated sum of numbers, after Shewchuk 1997, Adaptive Precision Floating-Point Arithmetic and Fast Robust
/// Geometric Predicates. As long as every addition is exact, which holds for 32-bit weights unless they differ by more than
/// 29 bits in size and count, it is one number. The numbers must be finite, and their sum must not overflow.
#[derive(Clone, Debug, Default)]
pub struct ExactSum {
    high: f64,
    /// The errors of additions to `high`: numbers whose bits do not overlap, in ascending magnitude.
    low: Vec<f64>,
}

impl ExactSum {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, number: f64) {
        let (sum, error) = two_sum(self.high, number);
        self.high = sum;
        if error != 0.0 {
            grow(&mut self.low, error);
        }
    }

    /// Numbers with the same exact sum: one, unless the sum is not a floating-point number.
    pub fn parts(&self) -> impl Iterator<Item = f64> {
        std::iter::once(self.high).chain(self.low.iter().copied())
    }

    /// The sum, rounded to the nearest number, ties to even.
    #[allow(clippy::float_cmp, reason = "the comparison asks whether a subtraction is exact")]
    pub fn value(&self) -> f64 {
        if self.low.is_empty() {
            return self.high;
        }
        let mut parts = self.low.clone();
        grow(&mut parts, self.high);
        let Some(mut sum) = parts.pop() else { return 0.0 };
        let mut error = 0.0;
        while let Some(part) = parts.pop() {
            (sum, error) = two_sum(sum, part);
            if error != 0.0 {
                break;
            }
        }
        // The error is half a unit in the last place and was rounded to even, but the remaining parts exceed the half.
        if parts.last().is_some_and(|rest| (*rest < 0.0) == (error < 0.0)) {
            let doubled = error * 2.0;
            let moved = sum + doubled;
            if moved - sum == doubled {
                return moved;
            }
        }
        sum
    }

    /// Sets the sum to 0.
    pub fn clear(&mut self) {
        self.high = 0.0;
        self.low.clear();
    }
}

/// The rounded sum of two numbers, and its error (Knuth's two-sum).
#[inline]
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let of_b = sum - a;
    (sum, (a - (sum - of_b)) + (b - of_b))
}

/// Adds a number to numbers whose bits do not overlap.
fn grow(parts: &mut Vec<f64>, number: f64) {
    let mut carry = number;
    let mut kept = 0;
    for index in 0..parts.len() {
        let (sum, error) = two_sum(carry, parts[index]);
        if error != 0.0 {
            parts[kept] = error;
            kept += 1;
        }
        carry = sum;
    }
    parts.truncate(kept);
    if carry != 0.0 {
        parts.push(carry);
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sum(numbers: impl IntoIterator<Item = f64>) -> ExactSum {
        let mut sum = ExactSum::default();
        numbers.into_iter().for_each(|number| sum.add(number));
        sum
    }

    #[test]
    fn sums_are_rounded_once() {
        assert_eq!(sum([]).value(), 0.0);
        assert_eq!(sum([1e16, 1.0, -1e16]).value(), 1.0);
        assert_eq!(sum([1e30, 1e-30, -1e30]).value(), 1e-30);
        assert_eq!(sum(std::iter::repeat_n(0.1, 10)).value(), 1.0);
        // Half a unit in the last place: to even, unless there is more.
        let half = f64::EPSILON / 2.0;
        assert_eq!(sum([1.0, half]).value(), 1.0);
        assert_eq!(sum([1.0, half, 1e-30]).value(), 1.0 + f64::EPSILON);
        assert_eq!(sum([1.0 + f64::EPSILON, half, -1e-30]).value(), 1.0 + f64::EPSILON);
        assert_eq!(sum([-1.0, -half, -1e-30]).value(), -1.0 - f64::EPSILON);
        assert_eq!(sum([0.5, 0.25, 1024.0]).parts().count(), 1);
    }

    proptest! {
        #[test]
        fn any_order_and_any_split_gives_the_same_sum(
            numbers in prop::collection::vec(prop_oneof![
                any::<f32>().prop_filter("finite", |number| number.is_finite()), -1e3f32..1e3, Just(0.1f32), Just(1e-40f32),
            ], 0..60),
            split in 0usize..60,
            order in any::<u64>(),
        ) {
            let numbers: Vec<f64> = numbers.into_iter().map(f64::from).collect();
            let expected = sum(numbers.iter().copied());
            let (front, back) = numbers.split_at(split.min(numbers.len()));
            let merged = sum(sum(back.iter().copied()).parts().chain(sum(front.iter().copied()).parts()));
            prop_assert_eq!(merged.value().to_bits(), expected.value().to_bits());
            let mut shuffled = numbers.clone();
            shuffled.sort_by_key(|number| (number.to_bits() ^ order).wrapping_mul(0x9e37_79b9_7f4a_7c15));
            prop_assert_eq!(sum(shuffled).value().to_bits(), expected.value().to_bits());
            // Cancelled by its opposite, nothing is left.
            prop_assert_eq!(sum(numbers.iter().copied().chain(numbers.iter().map(|number| -number))).value(), 0.0);
        }
    }
}
