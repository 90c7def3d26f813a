//! The flags about what people and programs find around a picture and beside it.

use std::io::{BufWriter, Write};
use std::path::Path;

use clap::Args as ClapArgs;
use image::RgbaImage;

use super::output::Output;
use crate::encode::geotiff::GeoReference;
use crate::encode::{Legend, Print, kml, nice_ticks, world_file, write_picture};
use crate::error::{Error, Result};
use crate::geo::Projection;
use crate::layer::{Heatmap, Style, Unit, Values};
use crate::parameter::Parameter;

const PRINT: Parameter = Parameter::new("print");
const WORLD_FILE: Parameter = Parameter::new("world_file");

/// What stands around the picture, and which files beside it.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Around the picture")]
pub(super) struct SheetArgs {
    /// Draw the legend too, as a PNG; the file is the output's name with .legend.png, unless --legend=FILE names one
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    #[allow(clippy::option_option, reason = "the flag may be absent, bare, or name a file")]
    legend: Option<Option<String>>,
    /// Put the picture on a white sheet, with its legend, a scale bar and a north arrow
    #[arg(long)]
    print: bool,
    /// A title above it; implies --print
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Whom to thank, beneath it; implies --print
    #[arg(long, value_name = "TEXT")]
    attribution: Option<String>,
    /// Write a .kml beside the picture that lays it on a globe; for --projection platecarree
    #[arg(long)]
    kml: bool,
    /// Write a world file (.pgw) beside the picture, in meters or degrees of its projection
    #[arg(long)]
    world_file: bool,
}

/// A picture that is drawn.
#[derive(Clone, Copy)]
pub(super) struct RenderedPicture<'a> {
    pub(super) heat: &'a Heatmap,
    pub(super) style: &'a Style,
    pub(super) unit: &'a Unit,
}

impl SheetArgs {
    /// Whether the picture goes on a sheet.
    pub(super) fn is_wanted(&self) -> bool {
        self.print || self.title.is_some() || self.attribution.is_some()
    }

    /// Whether there is a legend beside the picture.
    pub(super) fn has_legend(&self) -> bool {
        self.legend.is_some()
    }

    /// Refuses what does not go together.
    pub(super) fn check(&self, is_png: bool, projection: Projection) -> Result<()> {
        let flags = [(PRINT, self.is_wanted()), (Parameter::KML, self.kml), (WORLD_FILE, self.world_file)];
        if let Some((flag, _)) = flags.into_iter().find(|(_, given)| *given && !is_png) {
            return Err(Error::invalid(flag, "only a PNG can have it; a GeoTIFF says itself where it lies"));
        }
        if self.is_wanted() && (self.kml || self.world_file) {
            let flag = if self.kml { Parameter::KML } else { WORLD_FILE };
            return Err(Error::invalid(
                flag,
                "a picture on a sheet lies nowhere; leave --print, --title and --attribution out",
            ));
        }
        if self.kml && projection != Projection::PlateCarree {
            let why = "a globe stretches pictures evenly between their degrees: give --projection platecarree";
            return Err(Error::invalid(Parameter::KML, why));
        }
        Ok(())
    }

    /// The files beside the picture, each with the flag that it is for.
    pub(super) fn files_beside(&self, output: &str) -> Result<Vec<(Parameter, String)>> {
        let mut files = Vec::new();
        files.extend(self.legend_path(output)?.map(|path| (Parameter::LEGEND, path)));
        for (flag, given, ending) in [(Parameter::KML, self.kml, "kml"), (WORLD_FILE, self.world_file, "pgw")] {
            if given && output == "-" {
                return Err(Error::invalid(flag, "the picture goes to standard output, so that nothing is beside it"));
            }
            if given {
                files.push((flag, format!("{}.{ending}", stem(output))));
            }
        }
        Ok(files)
    }

    /// Writes a file beside the picture.
    pub(super) fn write_beside(
        flag: Parameter,
        drawn: RenderedPicture<'_>,
        picture: &str,
        output: &mut Output,
    ) -> Result<()> {
        let name = Path::new(picture).file_name().unwrap_or_default().to_string_lossy();
        let text = match flag {
            Parameter::KML => kml(&drawn.heat.canvas, &stem(&name), &name)?,
            WORLD_FILE => world_file(&GeoReference::of(&drawn.heat.canvas)),
            _ => {
                let legend = drawn.legend()?;
                return write_picture(&legend, BufWriter::new(output.file()))
                    .map_err(|error| Error::io("legend", "write", error));
            }
        };
        output.file().write_all(text.as_bytes()).map_err(|error| Error::io(picture, "write beside", error))
    }

    /// Writes the picture on a sheet.
    pub(super) fn write(&self, drawn: RenderedPicture<'_>, output: &mut Output) -> Result<()> {
        let [title, attribution] = [&self.title, &self.attribution].map(|text| text.as_deref().unwrap_or_default());
        let sheet = drawn.sheet(title, "", attribution)?;
        write_picture(&sheet, BufWriter::new(output.file())).map_err(|error| Error::io("", "write", error))
    }

    fn legend_path(&self, output: &str) -> Result<Option<String>> {
        match &self.legend {
            None => Ok(None),
            Some(None) if output == "-" => {
                Err(Error::invalid(Parameter::LEGEND, "the picture goes to standard output, so name the legend's file"))
            }
            Some(None) => Ok(Some(format!("{}.legend.png", stem(output)))),
            Some(Some(path)) => Ok(Some(path.clone())),
        }
    }
}

/// A file's name without its ending.
fn stem(path: &str) -> String {
    Path::new(path).with_extension("").display().to_string()
}

impl RenderedPicture<'_> {
    /// The picture on a sheet, with its legend, a scale bar and a north arrow.
    pub(super) fn sheet(self, title: &str, subtitle: &str, attribution: &str) -> Result<RgbaImage> {
        let Self { heat, style, .. } = self;
        let canvas = &heat.canvas;
        let legend = self.legend()?;
        let is_globe = canvas.projection().wraps();
        let lat = style.true_scale_lat_deg.unwrap_or_else(|| canvas.center_lat());
        let side = if lat.round() < 0.0 { "S" } else { "N" };
        let scale_note = if is_globe { format!("at {}°{side}", lat.abs().round()) } else { String::new() };
        let print = Print {
            indices: &heat.indices,
            colors: heat.palette.colors(),
            title,
            subtitle,
            attribution,
            legend: Some(&legend),
            pixel_width_m: style.pixel_size_m(canvas).map(|[width_m, _]| width_m),
            scale_note: &scale_note,
            north_up: is_globe,
        };
        print.draw()
    }

    fn legend(self) -> Result<RgbaImage> {
        let Self { heat, style, unit } = self;
        let palette = style.legend_palette();
        let ticks = match &heat.values {
            Some(Values { span, quantizer, .. }) => {
                let position = |value: f64| quantizer.position(value / unit.factor);
                nice_ticks(span.vmin * unit.factor, span.vmax * unit.factor, position)
            }
            None => Vec::new(),
        };
        let unit = if heat.values.is_some() { unit.name.as_str() } else { "classic dots: an absolute scale" };
        Legend { palette: &palette, ticks: &ticks, title: "", unit, pixel_ratio: 1.0 }.draw()
    }
}
