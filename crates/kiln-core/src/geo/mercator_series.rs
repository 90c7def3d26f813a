//! The constants of the Web Mercator y of a latitude, as [`fixed`](super::fixed) computes it, for generators of the same
//! computation in other languages.
//!
//! With h = φ/2 in radians: s = h · `SIN`(h²) and c = `COS`(h²); a = c + s and b = c − s without their powers of two, and
//! e the difference of the exponents; z = (a − b) / (a + b); y = ½ − (e · ln 2 + 2 · z · `ARTANH`(z²)) / 2π. Each polynomial
//! is evaluated by Horner's rule from the last coefficient, without fused operations.

/// Radians of half a latitude in degrees.
pub const HALF_DEGREE: f64 = std::f64::consts::PI / 360.0;

/// Coefficients of sin(h) / h in h².
pub const SIN: [f64; 8] = [
    1.0,
    -1.0 / 6.0,
    1.0 / 120.0,
    -1.0 / 5040.0,
    1.0 / 362_880.0,
    -1.0 / 39_916_800.0,
    1.0 / 6_227_020_800.0,
    -1.0 / 1_307_674_368_000.0,
];

/// Coefficients of cos(h) in h².
pub const COS: [f64; 9] = [
    1.0,
    -0.5,
    1.0 / 24.0,
    -1.0 / 720.0,
    1.0 / 40_320.0,
    -1.0 / 3_628_800.0,
    1.0 / 479_001_600.0,
    -1.0 / 87_178_291_200.0,
    1.0 / 20_922_789_888_000.0,
];

/// Coefficients of artanh(z) / z in z²: 1, 1/3, 1/5, … 1/25. |z| ≤ 1/3, so the next term is below 1e-14.
pub const ARTANH: [f64; 13] = {
    let mut coefficients = [0.0; 13];
    let mut term = 0;
    while term < 13 {
        coefficients[term] = 1.0 / (2 * term + 1) as f64;
        term += 1;
    }
    coefficients
};

/// The natural logarithm of 2.
pub const LN_2: f64 = std::f64::consts::LN_2;

/// 1 / 2π.
pub const INVERSE_TURN: f64 = 0.5 * std::f64::consts::FRAC_1_PI;
