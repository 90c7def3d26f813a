//! `kiln mask`: renders an array of values, or annotations, to a picture.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;

use super::flags::{Flags, whole_number};
use super::mask_inputs::{MaskInput, ReadArgs};
use super::output::{Output, Target};
use super::summary::short;
use super::{print_message, print_notes};
use crate::error::{Error, Result};
use crate::layer::SchemeFolders;
use crate::mask::{Background, ImageLimits, Levels, MaskStyle, Picture, ReadError, render_levels, size_of};
use crate::masks::{MaskOptions, draw_legend};
use crate::parameter::Parameter;

/// Draw a 2-D array of values, or the density of annotations, as a heat map, alone or over an image.
///
/// Reads NumPy arrays (.npy, and members of .npz), JSON rows, CSV without a header, PNG, TIFF and GeoTIFF. The format is
/// detected from the content. NaN and null are no data, and transparent. Three-dimensional arrays are averaged over their
/// channels.
///
/// Annotations (Supervisely JSON, COCO JSON, YOLO text) become a mask with the number of labels over each pixel. The mask has
/// the size of the images, or --width and --height.
#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  kiln mask cam.npy --background photo.jpg -o cam.png
  kiln mask depth.tif --vmin 0 --vmax 40 --colormap turbo --blur-ksize none --legend -o depth.png
  kiln mask heat.npz --member attention --blur-ksize 7,7 --transparent-low --opacity 50 -o heat.png
  kiln mask instances.json --class car --width 640 --height 480 --background street.jpg -o cars.png
  python -c 'import numpy,sys; numpy.save(sys.stdout.buffer, numpy.random.rand(64, 64))' | kiln mask - -o noise.png")]
pub(super) struct Args {
    /// The array, or one or more files of annotations; `-` reads standard input
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<String>,
    /// The PNG to write; `-` writes to standard output
    #[arg(short, long, value_name = "FILE")]
    output: String,
    /// A PNG, JPEG, WebP or TIFF to draw the mask over, stretched to its size
    #[arg(long, value_name = "FILE")]
    background: Option<PathBuf>,
    /// Also write the legend as a PNG, to the name of the output with .legend.png, or to --legend=FILE
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    #[allow(clippy::option_option, reason = "the flag may be absent, bare, or name a file")]
    legend: Option<Option<String>>,

    #[command(flatten)]
    style: StyleArgs,
    #[command(flatten)]
    read: ReadArgs,

    /// Worker threads [default: one per processor]
    #[arg(long, value_name = "N", value_parser = whole_number::<u16>(1..=1024))]
    threads: Option<u16>,
    /// Print nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

/// Style options of the mask.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Style")]
struct StyleArgs {
    #[command(flatten)]
    options: Flags<MaskOptions>,
    /// A folder of scheme files, in addition to ./schemes
    #[arg(long, value_name = "DIR")]
    schemes: Vec<PathBuf>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<()> {
    let start = Instant::now();
    let style = args.style.options.0.resolve(|name| SchemeFolders::open(&args.style.schemes)?.find(name))?;
    args.check_output()?;
    // Rejects an unwritable file before rendering.
    let target = Target::new(&args.output, &args.all_inputs())?;
    let legend = args.legend_path()?.map(|path| Target::new(&path, &args.all_inputs())).transpose()?;
    if legend.as_ref().is_some_and(|legend| legend.is_same_as(&target)) {
        return Err(Error::invalid(Parameter::LEGEND, "the picture is written to the same file"));
    }
    let threads = args.threads.map_or_else(crate::available_threads, usize::from);

    let input = args.read.read(&args.inputs, &style)?;
    let mask = &input.mask;
    let background = args.background.as_deref().map(read_background).transpose()?;
    let below = background.as_ref().map(|picture| (picture.width(), picture.height()));
    size_of(mask.values().size(), &style, below)?;
    let levels = Levels::of(mask, &style, threads).map_err(|error| match error {
        Error::Input { message, .. } => Error::input(&args.inputs[0], message),
        other => other,
    })?;
    let picture = render_levels(&levels, &style, background.as_ref(), threads)?;

    let mut outputs = vec![write(target.create()?, &picture.png()?, &args.output)?];
    if let Some(legend) = legend {
        outputs.push(write(legend.create()?, &legend_of(&style, &levels)?, "legend")?);
    }
    outputs.into_iter().try_for_each(Output::commit)?;
    if !args.quiet {
        print_notes(&input.remarks());
        let remarks = args.style.options.0.remarks(mask.values().size());
        print_notes(&remarks.iter().map(|remark| remark.spelled(Parameter::flag)).collect::<Vec<_>>());
        print_notes(&picture.remarks);
        print_message(&summary(&input, &levels, &picture, &args.output, start.elapsed()));
    }
    Ok(())
}

fn legend_of(style: &MaskStyle, levels: &Levels) -> Result<Vec<u8>> {
    draw_legend(style, (levels.vmin(), levels.vmax()), "", "", 1.0)
}

fn write(mut output: Output, bytes: &[u8], name: &str) -> Result<Output> {
    output.file().write_all(bytes).map_err(|error| Error::io(name, "write", error))?;
    Ok(output)
}

fn read_background(path: &Path) -> Result<Background> {
    let limits = ImageLimits::default();
    let mut bytes = Vec::new();
    let file = File::open(path).and_then(|file| file.take(limits.max_bytes as u64 + 1).read_to_end(&mut bytes));
    file.map_err(|error| Error::io(path, "read", error))?;
    Background::decode(&bytes, &path.display().to_string(), &limits).map_err(ReadError::into_error)
}

fn summary(input: &MaskInput, levels: &Levels, picture: &Picture, output: &str, elapsed: Duration) -> String {
    let (vmin, vmax) = (short(levels.vmin()), short(levels.vmax()));
    let (width, height) = (picture.width(), picture.height());
    let seconds = elapsed.as_secs_f64();
    format!("{}; span {vmin} to {vmax}; drew {width}x{height} px in {seconds:.3} s: {output}", input.summary())
}

impl Args {
    /// All input files.
    fn all_inputs(&self) -> Vec<String> {
        let background = self.background.as_ref().map(|path| path.display().to_string());
        self.inputs.iter().cloned().chain(background).collect()
    }

    /// Rejects an output file with the extension of another image format.
    fn check_output(&self) -> Result<()> {
        let ending = Path::new(&self.output).extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        match ending.to_ascii_lowercase().as_str() {
            "jpg" | "jpeg" | "webp" | "gif" | "bmp" | "svg" | "pdf" | "tif" | "tiff" => {
                let message = format!("unsupported format .{ending}; expected .png");
                Err(Error::invalid(Parameter::OUTPUT, message))
            }
            _ => Ok(()),
        }
    }

    fn legend_path(&self) -> Result<Option<String>> {
        match &self.legend {
            None => Ok(None),
            Some(None) if self.output == "-" => Err(Error::invalid(
                Parameter::LEGEND,
                "the picture is written to standard output; set the file with --legend=FILE",
            )),
            Some(None) => Ok(Some(format!("{}.legend.png", Path::new(&self.output).with_extension("").display()))),
            Some(Some(path)) => Ok(Some(path.clone())),
        }
    }
}
