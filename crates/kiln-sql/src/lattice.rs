//! The place of a point on the lattice, as nested `SELECT`s over doubles.

use kiln_core::geo::mercator_series::{ARTANH, COS, HALF_DEGREE, INVERSE_TURN, LN_2, SIN};

use crate::engine::Dialect;

/// The greatest power of two that is taken off c + s and c − s, which are between 2^−5 and 2 on the map.
const MAX_EXPONENT: i32 = 7;

/// A polynomial in `variable`, from the last coefficient, as the Rust code folds it.
fn horner(dialect: &dyn Dialect, coefficients: &[f64], variable: &str) -> String {
    let mut terms = coefficients.iter().rev();
    let last = terms.next().map(|&term| dialect.double(term)).unwrap_or_default();
    terms.fold(last, |sum, &term| format!("({sum} * {variable} + {})", dialect.double(term)))
}

/// The value of `of_exponent` for the exponent of `variable`: 0 from 1 to 2, -1 from ½ to 1, …
fn by_exponent(dialect: &dyn Dialect, variable: &str, of_exponent: impl Fn(i32) -> f64) -> String {
    let case = |k: i32| {
        let (from, value) = (dialect.double(2f64.powi(-k)), dialect.double(of_exponent(-k)));
        format!("WHEN {variable} >= {from} THEN {value}")
    };
    let cases: Vec<String> = (0..MAX_EXPONENT).map(case).collect();
    format!("CASE {} ELSE {} END", cases.join(" "), dialect.double(of_exponent(-MAX_EXPONENT)))
}

/// A `SELECT` of `kept` columns, `kiln_u` and `kiln_v`: the shares of the world to the east and to the south, from a
/// `SELECT` of the `kept` columns, `kiln_lon` and `kiln_lat`.
pub(crate) fn shares(dialect: &dyn Dialect, kept: &[&str], points: &str) -> String {
    let kept = kept.iter().flat_map(|name| [", ", name]).collect::<String>();
    let double = |value| dialect.double(value);
    let (sine, cosine) = (horner(dialect, &SIN, "kiln_h2"), horner(dialect, &COS, "kiln_h2"));
    let exponent = |variable| by_exponent(dialect, variable, f64::from);
    let factor = |variable| by_exponent(dialect, variable, |exponent| 2f64.powi(-exponent));
    let series = horner(dialect, &ARTANH, "kiln_z2");
    let (half, two, turn) = (double(0.5), double(2.0), double(360.0));
    let (ln_2, inverse_turn, half_degree) = (double(LN_2), double(INVERSE_TURN), double(HALF_DEGREE));
    // From the outermost SELECT to the innermost.
    let levels = [
        format!(
            "kiln_tx - FLOOR(kiln_tx) AS kiln_u, \
             {half} - (kiln_e * {ln_2} + {two} * kiln_z * {series}) * {inverse_turn} AS kiln_v"
        ),
        "kiln_tx, kiln_e, kiln_z, kiln_z * kiln_z AS kiln_z2".to_owned(),
        "kiln_tx, kiln_ea - kiln_eb AS kiln_e, \
         (kiln_a * kiln_fa - kiln_b * kiln_fb) / (kiln_a * kiln_fa + kiln_b * kiln_fb) AS kiln_z"
            .to_owned(),
        format!(
            "kiln_tx, kiln_a, kiln_b,\n    {} AS kiln_ea,\n    {} AS kiln_eb,\n    {} AS kiln_fa,\n    {} AS kiln_fb",
            exponent("kiln_a"),
            exponent("kiln_b"),
            factor("kiln_a"),
            factor("kiln_b")
        ),
        "kiln_tx, kiln_c + kiln_s AS kiln_a, kiln_c - kiln_s AS kiln_b".to_owned(),
        format!("kiln_tx, kiln_h * {sine} AS kiln_s, {cosine} AS kiln_c"),
        "kiln_tx, kiln_h, kiln_h * kiln_h AS kiln_h2".to_owned(),
        format!("kiln_lon / {turn} + {half} AS kiln_tx, kiln_lat * {half_degree} AS kiln_h"),
    ];
    let count = levels.len();
    let innermost = format!("  FROM (\n{points}\n  ) AS kiln_t0");
    levels.iter().rev().enumerate().fold(innermost, |from, (depth, columns)| {
        let select = format!("  SELECT {columns}{kept}\n{from}");
        if depth + 1 == count { select } else { format!("  FROM (\n{select}\n  ) AS kiln_t{}", depth + 1) }
    })
}

/// The column or row of a share of the world on a lattice of `2^level` cells, as a whole double.
pub(crate) fn cell(dialect: &dyn Dialect, share: &str, level: u8) -> String {
    let cells = 2f64.powi(i32::from(level));
    let (scaled, last) = (format!("{share} * {}", dialect.double(cells)), dialect.double(cells - 1.0));
    let zero = dialect.double(0.0);
    format!(
        "FLOOR(CASE WHEN {scaled} < {last} THEN CASE WHEN {scaled} > {zero} THEN {scaled} ELSE {zero} END ELSE {last} END)"
    )
}
