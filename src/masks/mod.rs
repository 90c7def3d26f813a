//! Masks: style options, which all front ends share, legends, and a folder of stored masks.

mod legend;
#[cfg(feature = "server")]
mod mask_folder;
#[cfg(feature = "server")]
mod mask_id;
mod options;
mod read_options;
#[cfg(feature = "server")]
mod record;
#[cfg(feature = "server")]
mod retention;
#[cfg(feature = "server")]
mod value_file;

pub use legend::{draw_legend, legend_ticks};
#[cfg(feature = "server")]
pub use mask_folder::{MaskFolder, UploadedBackground};
#[cfg(feature = "server")]
pub use mask_id::MaskId;
pub use options::{KernelSize, MaskOptions};
pub use read_options::{ReadMaskContext, ReadMaskOptions};
#[cfg(feature = "server")]
pub use record::{BackgroundRecord, MaskRecord};
#[cfg(feature = "server")]
pub use retention::MaskSweepReport;
