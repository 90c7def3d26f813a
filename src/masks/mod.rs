//! Masks: the options of their style, as all front ends read them, and their legend.

mod legend;
mod options;

pub use legend::{draw_legend, legend_ticks};
pub use options::{KernelSize, MaskOptions};
