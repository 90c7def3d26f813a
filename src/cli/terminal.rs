//! Pictures in a terminal.

use std::env;
use std::io::IsTerminal;

/// The number of characters of a line of the terminal: that of standard output, else the variable `COLUMNS`, else 80; at most 1,000.
pub(super) fn columns() -> usize {
    const DEFAULT: usize = 80;
    const MAX: usize = 1000;
    let size = terminal_size::terminal_size_of(std::io::stdout());
    let of_terminal = size.map(|(terminal_size::Width(width), _)| usize::from(width));
    let of_variable = || env::var("COLUMNS").ok()?.trim().parse().ok();
    of_terminal.or_else(of_variable).filter(|columns| *columns > 0).unwrap_or(DEFAULT).min(MAX)
}

/// Whether standard output shows colors: if it is a terminal and `NO_COLOR` is not set, or if `CLICOLOR_FORCE` is.
pub(super) fn has_colors() -> bool {
    let is_set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0");
    is_set("CLICOLOR_FORCE") || std::io::stdout().is_terminal() && !is_set("NO_COLOR")
}
