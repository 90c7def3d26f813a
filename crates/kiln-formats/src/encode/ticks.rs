//! Tick marks at round values along a scale of any curve.

/// A mark on a legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Position on the scale, from 0 (the cold end) to 1 (the hot end).
    pub position: f64,
    /// The value at this position, in the layer's own unit.
    pub value: f64,
    /// The formatted value.
    pub label: String,
}

/// The minimum ratio of the narrowest to the widest gap between ticks.
const MIN_EVENNESS: f64 = 0.5;

/// Returns about five ticks at round values between `vmin` and `vmax`.
///
/// `position` maps a value to its position on the scale, 0 to 1, and must not decrease. On a nearly linear scale the
/// values are multiples of 1, 2 or 5 times a power of ten; on a nearly logarithmic one 1, 2, 5, 10, … or powers of ten;
/// on any other the roundest values near five evenly spaced positions. If `vmin` equals `vmax`, there is one tick; if
/// either is not finite or `vmin` exceeds `vmax`, there is none.
pub fn nice_ticks(vmin: f64, vmax: f64, position: impl Fn(f64) -> f64) -> Vec<Tick> {
    if !vmin.is_finite() || !vmax.is_finite() || vmin > vmax {
        return Vec::new();
    }
    let position = |value: f64| position(value).clamp(0.0, 1.0);
    let values = if vmin < vmax {
        [multiples(vmin, vmax), one_two_five(vmin, vmax), powers_of_ten(vmin, vmax)]
            .into_iter()
            .find(|values| evenness(values, position) >= MIN_EVENNESS)
            .unwrap_or_else(|| roundest(vmin, vmax, position))
    } else {
        vec![vmin]
    };
    let has_suffix = values.iter().any(|value| value.abs() >= 1e4);
    values
        .into_iter()
        .map(|value| Tick { position: position(value), value, label: label(value, has_suffix) })
        .filter(|tick| tick.position.is_finite())
        .collect()
}

/// The ticks with their values multiplied by `factor`, a power of ten, at the same positions.
pub fn scaled_ticks(ticks: &[Tick], factor: f64) -> Vec<Tick> {
    let has_suffix = ticks.iter().any(|tick| (tick.value * factor).abs() >= 1e4);
    let scaled = |tick: &Tick| {
        let value = without_noise(tick.value * factor);
        Tick { position: tick.position, value, label: label(value, has_suffix) }
    };
    ticks.iter().map(scaled).collect()
}

/// Evenly spaced ticks of a linear scale from `vmin` to `vmax`: multiples of 1, 2 or 5 times a power of ten.
///
/// The step is the largest with at least four ticks, but at least `min_step`, in the unit of the values, and at least
/// `min_gap`, a share of the scale. If `vmin` equals `vmax`, there is one tick; there is none if either is not finite,
/// `vmin` exceeds `vmax`, or no multiple is between them.
pub fn even_ticks(vmin: f64, vmax: f64, min_step: f64, min_gap: f64) -> Vec<Tick> {
    /// The number of ticks that a step should have.
    const ENOUGH: usize = 4;
    if !vmin.is_finite() || !vmax.is_finite() || vmin > vmax {
        return Vec::new();
    }
    // A quarter, because the difference of two values may exceed the range of a double.
    let quarter = vmax / 4.0 - vmin / 4.0;
    let position = |value: f64| {
        let position = (value / 4.0 - vmin / 4.0) / quarter;
        if position.is_finite() { position.clamp(0.0, 1.0) } else { 0.5 }
    };
    let top = if vmin < vmax { quarter.log10().floor().clamp(-400.0, 400.0) as i32 + 1 } else { 0 };
    let steps = (top - 3..=top).rev().flat_map(|power| [5.0, 2.0, 1.0].map(|digit| digit * 10_f64.powi(power)));
    let least = (min_step * (1.0 - 1e-9)).max(min_gap * 4.0 * quarter);
    let mut values = vec![vmin];
    if vmin < vmax {
        values = Vec::new();
        for step in steps.filter(|step| step.is_normal() && *step >= least) {
            values = multiples_of(step, vmin, vmax);
            if values.len() >= ENOUGH {
                break;
            }
        }
    }
    let has_suffix = values.iter().any(|value| value.abs() >= 1e4);
    let tick = |value: f64| Tick { position: position(value), value, label: label(value, has_suffix) };
    values.into_iter().map(tick).collect()
}

/// Multiples of 1, 2 or 5 times a power of ten, about five of them.
fn multiples(vmin: f64, vmax: f64) -> Vec<f64> {
    let rough = (vmax - vmin) / 4.5;
    let power = 10_f64.powf(rough.log10().floor());
    let step = power
        * match rough / power {
            ..1.5 => 1.0,
            ..3.5 => 2.0,
            ..7.5 => 5.0,
            _ => 10.0,
        };
    if !step.is_normal() {
        return Vec::new();
    }
    multiples_of(step, vmin, vmax)
}

/// The multiples of a step, up to 16.
fn multiples_of(step: f64, vmin: f64, vmax: f64) -> Vec<f64> {
    let (first, last) = ((vmin / step - 1e-9).ceil(), (vmax / step + 1e-9).floor());
    let count = (last - first + 1.0).clamp(0.0, 16.0) as usize;
    (0..count).map(|index| without_noise((first + index as f64) * step).clamp(vmin, vmax)).collect()
}

/// 1, 2, 5, 10, 20, …; empty unless there are four to eight.
fn one_two_five(vmin: f64, vmax: f64) -> Vec<f64> {
    let values: Vec<f64> = powers(vmin, vmax).flat_map(|power| [power, 2.0 * power, 5.0 * power]).collect();
    let values: Vec<f64> =
        values.into_iter().map(without_noise).filter(|value| (vmin..=vmax).contains(value)).collect();
    if (4..=8).contains(&values.len()) { values } else { Vec::new() }
}

/// 1, 10, 100, …, thinned to every second, third, … of them so that there are at most six.
fn powers_of_ten(vmin: f64, vmax: f64) -> Vec<f64> {
    let values: Vec<f64> =
        powers(vmin, vmax).map(without_noise).filter(|value| (vmin..=vmax).contains(value)).collect();
    let stride = values.len().div_ceil(6).max(1);
    values.into_iter().step_by(stride).collect()
}

/// The powers of ten around `vmin..=vmax`; empty unless both are positive.
fn powers(vmin: f64, vmax: f64) -> impl Iterator<Item = f64> {
    let exponents = (vmin > 0.0).then(|| vmin.log10().floor() as i32..=vmax.log10().ceil() as i32);
    exponents.into_iter().flatten().map(|exponent| 10_f64.powi(exponent))
}

/// The ratio of the narrowest gap to the widest; 0 if there are fewer than three ticks or they span less than 0.6 of
/// the scale.
fn evenness(values: &[f64], position: impl Fn(f64) -> f64) -> f64 {
    let positions: Vec<f64> = values.iter().map(|value| position(*value)).collect();
    match positions.as_slice() {
        [first, _, .., last] if values.len() > 2 && last - first >= 0.6 => {
            let gaps = positions.windows(2).map(|pair| pair[1] - pair[0]);
            let (min, max) = gaps.fold((f64::MAX, 0.0_f64), |(min, max), gap| (min.min(gap), max.max(gap)));
            min / max
        }
        _ => 0.0,
    }
}

/// The roundest values near five evenly spaced positions.
fn roundest(vmin: f64, vmax: f64, position: impl Fn(f64) -> f64) -> Vec<f64> {
    /// The maximum distance of a value from its target position; the second applies to values with one significant
    /// digit.
    const MAX_DISTANCES: [f64; 2] = [0.06, 0.09];
    /// The minimum gap between two ticks.
    const MIN_GAP: f64 = 0.1;
    let value_at = |target: f64| {
        // The value at position `target`, by bisection; a hundred steps exhaust the bits of a float.
        let (mut low, mut high) = (vmin, vmax);
        for _ in 0..100 {
            let mid = low + (high - low) / 2.0;
            if position(mid) < target {
                low = mid;
            } else {
                high = mid;
            }
        }
        high
    };
    let mut values: Vec<f64> = Vec::new();
    for target in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let [near, far] = MAX_DISTANCES.map(|distance| {
            let low = if target > 0.0 { value_at(target - distance) } else { vmin };
            let high = if target < 1.0 { value_at(target + distance) } else { vmax };
            roundest_between(low, high, value_at(target))
        });
        let has_one_digit = |value: f64| (round_to(value, 0) - value).abs() <= f64::EPSILON * value.abs();
        let value = if has_one_digit(far) && !has_one_digit(near) { far } else { near };
        if values.last().is_none_or(|last| position(value) - position(*last) >= MIN_GAP) {
            values.push(value);
        }
    }
    values
}

/// The multiple of the coarsest possible 1-2-5 step within `low..=high`; the nearest to `target` if there are several.
fn roundest_between(low: f64, high: f64, target: f64) -> f64 {
    let top = low.abs().max(high.abs()).log10().ceil();
    let coarsest_first = (0..18).flat_map(|down| [1.0, 0.5, 0.2].map(|part| part * 10_f64.powf(top - f64::from(down))));
    for step in coarsest_first {
        let nearest = (target / step).round();
        let candidates = [nearest, nearest - 1.0, nearest + 1.0].map(|times| without_noise(times * step));
        if let Some(value) = candidates.into_iter().find(|value| (low..=high).contains(value)) {
            return value;
        }
    }
    target
}

/// `value` without the rounding error in its last binary digits, and without a negative zero.
fn without_noise(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value) + 0.0
}

/// Formats `value` for a legend: `0.05`, `−3`, `2500`, or with an SI suffix, `1.2M`, if `has_suffix`.
fn label(value: f64, has_suffix: bool) -> String {
    let size = value.abs();
    let (unit, suffix) = match size {
        1e12..1e15 => (1e12, "T"),
        1e9..1e12 => (1e9, "G"),
        1e6..1e9 => (1e6, "M"),
        1e3..1e6 => (1e3, "k"),
        _ => (1.0, ""),
    };
    let text = if size > 0.0 && !(1e-3..1e15).contains(&size) {
        format!("{:e}", round_to(value, 4))
    } else if has_suffix {
        format!("{}{suffix}", round_to(value / unit, 9))
    } else {
        round_to(value, 9).to_string()
    };
    text.replace('-', "−")
}

/// `value` rounded to 1 + `digits` significant digits.
fn round_to(value: f64, digits: usize) -> f64 {
    format!("{value:.digits$e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(vmin: f64, vmax: f64, position: impl Fn(f64) -> f64) -> Vec<String> {
        let ticks = nice_ticks(vmin, vmax, position);
        for pair in ticks.windows(2) {
            assert!(pair[0].position < pair[1].position && pair[0].value < pair[1].value, "{ticks:?}");
        }
        assert!(ticks.iter().all(|tick| (vmin..=vmax).contains(&tick.value)), "{ticks:?}");
        ticks.into_iter().map(|tick| tick.label).collect()
    }

    fn linear(vmin: f64, vmax: f64) -> Vec<String> {
        labels(vmin, vmax, |value| (value - vmin) / (vmax - vmin))
    }

    fn logarithmic(vmin: f64, vmax: f64) -> Vec<String> {
        labels(vmin, vmax, |value| (value / vmin).ln() / (vmax / vmin).ln())
    }

    #[test]
    fn linear_scales_have_round_steps() {
        assert_eq!(linear(0.0, 1.0), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!(linear(0.0, 100.0), ["0", "20", "40", "60", "80", "100"]);
        assert_eq!(linear(3.0, 21.7), ["5", "10", "15", "20"]);
        assert_eq!(linear(-1.0, 1.0), ["−1", "−0.5", "0", "0.5", "1"]);
        assert_eq!(linear(1990.0, 2024.0), ["1990", "2000", "2010", "2020"]);
        assert_eq!(linear(0.0, 6.1e6), ["0", "1M", "2M", "3M", "4M", "5M", "6M"]);
        assert_eq!(linear(0.0, 5.5e6), ["0", "1M", "2M", "3M", "4M", "5M"]);
        assert_eq!(linear(0.0, 21_000.0), ["0", "5k", "10k", "15k", "20k"]);
        assert_eq!(linear(1e6, 1_002_000.0), ["1M", "1.0005M", "1.001M", "1.0015M", "1.002M"]);
        assert_eq!(linear(0.0, 1e-4), ["0", "2e−5", "4e−5", "6e−5", "8e−5", "1e−4"]);
    }

    #[test]
    fn scaled_ticks_have_the_labels_of_their_new_values() {
        let ticks = nice_ticks(0.0, 6e-5, |value| value / 6e-5);
        let labels: Vec<String> = scaled_ticks(&ticks, 1e6).into_iter().map(|tick| tick.label).collect();
        assert_eq!(labels, ["0", "10", "20", "30", "40", "50", "60"]);
        let positions = |ticks: &[Tick]| ticks.iter().map(|tick| tick.position.to_bits()).collect::<Vec<_>>();
        assert_eq!(positions(&scaled_ticks(&ticks, 1e6)), positions(&ticks));
    }

    #[test]
    fn even_ticks_have_one_step_and_at_least_four_values() {
        let values = |vmin: f64, vmax: f64, min_step: f64, min_gap: f64| {
            even_ticks(vmin, vmax, min_step, min_gap).into_iter().map(|tick| tick.value).collect::<Vec<_>>()
        };
        assert_eq!(values(-18.0, 18.0, 0.0, 0.05), [-15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 15.0]);
        assert_eq!(values(-18.0, 18.0, 0.0, 0.2), [-10.0, 0.0, 10.0]);
        assert_eq!(values(5.0, 74.0, 0.0, 0.05), [10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0]);
        assert_eq!(values(-35.0, 30.0, 0.0, 0.05), [-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0]);
        assert_eq!(values(0.0, 2.0, 1.0, 0.05), [0.0, 1.0, 2.0], "whole numbers");
        assert_eq!(values(3.0, 3.0, 1.0, 0.05), [3.0]);
        assert_eq!(values(0.2, 0.9, 1.0, 0.05), [0.0; 0]);
        assert_eq!(values(f64::NAN, 0.9, 1.0, 0.05), [0.0; 0]);
        assert!(values(-f64::MAX, f64::MAX, 0.0, 0.05).len() >= 2);
        assert!(values(0.0, f64::MIN_POSITIVE / 4.0, 0.0, 0.05).len() <= 16);
        let ticks = even_ticks(0.0, 21_000.0, 1.0, 0.05);
        assert_eq!(ticks.iter().map(|tick| tick.label.as_str()).collect::<Vec<_>>(), ["0", "5k", "10k", "15k", "20k"]);
        assert!((ticks[1].position - 5.0 / 21.0).abs() < 1e-12);
    }

    #[test]
    fn logarithmic_scales_have_powers() {
        assert_eq!(logarithmic(1.0, 1e6), ["1", "100", "10k", "1M"]);
        assert_eq!(logarithmic(1.0, 1e3), ["1", "10", "100", "1000"]);
        assert_eq!(logarithmic(1.0, 100.0), ["1", "2", "5", "10", "20", "50", "100"]);
        assert_eq!(logarithmic(1.0, 5.0), ["1", "1.5", "2", "3", "5"]);
    }

    #[test]
    fn other_curves_have_evenly_spaced_round_values() {
        let sqrt = labels(0.0, 100.0, |value| (value / 100.0).sqrt());
        assert_eq!(sqrt, ["0", "5", "20", "50", "100"]);
        // Like an equalized histogram: flat, then a jump, then steep.
        let steps =
            nice_ticks(0.0, 1000.0, |value| if value < 1.0 { 0.0 } else { 0.4 + 0.6 * (value / 1000.0).powi(8) });
        assert!(steps.len() >= 3, "{steps:?}");
        let log1p = labels(0.0, 12_345.0, |value| value.ln_1p() / 12_345_f64.ln_1p());
        assert!((4..=6).contains(&log1p.len()) && log1p[0] == "0", "{log1p:?}");
    }

    #[test]
    fn degenerate_scales_do_not_fail() {
        assert_eq!(nice_ticks(3.0, 3.0, |_| 0.5).len(), 1);
        assert!(nice_ticks(f64::NAN, 1.0, |value| value).is_empty());
        assert!(nice_ticks(0.0, f64::INFINITY, |value| value).is_empty());
        assert!(nice_ticks(2.0, 1.0, |value| value).is_empty());
        assert!(nice_ticks(0.0, 1.0, |_| f64::NAN).is_empty());
        assert!(nice_ticks(0.0, f64::MIN_POSITIVE / 4.0, |_| 0.0).len() <= 5);
        assert!(!nice_ticks(-1e300, 1e300, |value| value / 2e300 + 0.5).is_empty());
    }
}
