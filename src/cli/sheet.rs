//! The flags for print sheets and companion files of a picture: legend, KML and world file.

use std::io::{BufWriter, Write};
use std::path::Path;

use clap::Args as ClapArgs;
use image::RgbaImage;

use super::output::Output;
use crate::encode::geotiff::GeoReference;
use crate::encode::{
    Legend, OUTLINES_ATTRIBUTION, Outlines, Print, kml, nice_ticks, scaled_ticks, world_file, write_picture,
};
use crate::error::{Error, Result};
use crate::geo::{Canvas, Projection};
use crate::layer::{Heatmap, Style, Values, readable_unit};
use crate::parameter::Parameter;

const PRINT: Parameter = Parameter::new("print");
const WORLD_FILE: Parameter = Parameter::new("world_file");

/// The sheet and the companion files of a picture.
#[derive(Debug, ClapArgs)]
#[command(next_help_heading = "Print and companion files")]
pub(super) struct SheetArgs {
    /// Also write the legend as a PNG, to FILE or to the output's name with .legend.png
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    #[allow(clippy::option_option, reason = "the flag may be absent, bare, or name a file")]
    legend: Option<Option<String>>,
    /// Draw the picture on a white sheet with land, coasts and borders, a legend, a scale bar and a north arrow
    #[arg(long)]
    print: bool,
    /// Title above the picture; implies --print
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Attribution line below the picture; implies --print
    #[arg(long, value_name = "TEXT")]
    attribution: Option<String>,
    #[command(flatten)]
    outlines: OutlineArgs,
    /// Also write a .kml file that overlays the picture on a globe; requires --projection platecarree
    #[arg(long)]
    kml: bool,
    /// Also write a world file (.pgw), in meters or degrees of the projection
    #[arg(long)]
    world_file: bool,
}

/// Whether a sheet has outlines.
#[derive(Clone, Copy, Debug, ClapArgs)]
pub(super) struct OutlineArgs {
    /// Draw the sheet without land, coasts and borders
    #[arg(long)]
    no_outlines: bool,
}

impl OutlineArgs {
    /// Draws the outlines of a canvas. `None` if they are off, on a plane, and where they are too coarse.
    pub(super) fn draw(self, canvas: &Canvas) -> Result<Option<Outlines>> {
        if self.no_outlines { Ok(None) } else { Outlines::draw(canvas) }
    }
}

/// A rendered picture with its style and unit.
#[derive(Clone, Copy)]
pub(super) struct RenderedPicture<'a> {
    pub(super) heat: &'a Heatmap,
    pub(super) style: &'a Style,
    pub(super) unit: &'a str,
}

impl SheetArgs {
    /// Whether the picture is drawn on a sheet.
    pub(super) fn has_sheet(&self) -> bool {
        self.print || self.title.is_some() || self.attribution.is_some()
    }

    /// Whether a legend is written.
    pub(super) fn has_legend(&self) -> bool {
        self.legend.is_some()
    }

    /// Rejects conflicting flags.
    pub(super) fn check(&self, is_png: bool, projection: Projection) -> Result<()> {
        let flags = [(PRINT, self.has_sheet()), (Parameter::KML, self.kml), (WORLD_FILE, self.world_file)];
        if let Some((flag, _)) = flags.into_iter().find(|(_, given)| *given && !is_png) {
            return Err(Error::invalid(flag, "the flag requires a PNG; a GeoTIFF contains its georeference"));
        }
        if self.has_sheet() && (self.kml || self.world_file) {
            let flag = if self.kml { Parameter::KML } else { WORLD_FILE };
            return Err(Error::invalid(
                flag,
                "a picture on a sheet has no georeference; omit --print, --title and --attribution",
            ));
        }
        if self.kml && projection != Projection::PlateCarree {
            let detail = "KML overlays are in geographic coordinates; use --projection platecarree";
            return Err(Error::invalid(Parameter::KML, detail));
        }
        Ok(())
    }

    /// The companion files of the picture, with their flags.
    pub(super) fn companion_files(&self, output: &str) -> Result<Vec<(Parameter, String)>> {
        let mut files = Vec::new();
        files.extend(self.legend_path(output)?.map(|path| (Parameter::LEGEND, path)));
        for (flag, given, extension) in [(Parameter::KML, self.kml, "kml"), (WORLD_FILE, self.world_file, "pgw")] {
            if given && output == "-" {
                return Err(Error::invalid(flag, "the picture is written to standard output; use an output file"));
            }
            if given {
                files.push((flag, format!("{}.{extension}", stem(output))));
            }
        }
        Ok(files)
    }

    /// Writes a companion file of the picture.
    pub(super) fn write_companion(
        flag: Parameter,
        picture: RenderedPicture<'_>,
        path: &str,
        output: &mut Output,
    ) -> Result<()> {
        let name = Path::new(path).file_name().unwrap_or_default().to_string_lossy();
        let text = match flag {
            Parameter::KML => kml(&picture.heat.canvas, &stem(&name), &name)?,
            WORLD_FILE => world_file(&GeoReference::of(&picture.heat.canvas)),
            _ => {
                let legend = picture.legend()?;
                return write_picture(&legend, BufWriter::new(output.file()))
                    .map_err(|error| Error::io("legend", "write", error));
            }
        };
        output.file().write_all(text.as_bytes()).map_err(|error| Error::io(path, "write a companion file of", error))
    }

    /// Writes the picture on a sheet.
    pub(super) fn write(&self, picture: RenderedPicture<'_>, output: &mut Output) -> Result<()> {
        let [title, attribution] = [&self.title, &self.attribution].map(|text| text.as_deref().unwrap_or_default());
        let outlines = self.outlines.draw(&picture.heat.canvas)?;
        let sheet = picture.sheet(title, "", attribution, outlines.as_ref())?;
        write_picture(&sheet, BufWriter::new(output.file())).map_err(|error| Error::io("", "write", error))
    }

    fn legend_path(&self, output: &str) -> Result<Option<String>> {
        match &self.legend {
            None => Ok(None),
            Some(None) if output == "-" => Err(Error::invalid(
                Parameter::LEGEND,
                "the picture is written to standard output; give the legend's file, --legend=FILE",
            )),
            Some(None) => Ok(Some(format!("{}.legend.png", stem(output)))),
            Some(Some(path)) => Ok(Some(path.clone())),
        }
    }
}

/// The path without its file extension.
fn stem(path: &str) -> String {
    Path::new(path).with_extension("").display().to_string()
}

impl RenderedPicture<'_> {
    /// Draws the picture on a sheet with a legend, a scale bar and a north arrow.
    pub(super) fn sheet(
        self,
        title: &str,
        subtitle: &str,
        attribution: &str,
        outlines: Option<&Outlines>,
    ) -> Result<RgbaImage> {
        let Self { heat, .. } = self;
        let sources = [attribution, if outlines.is_some() { OUTLINES_ATTRIBUTION } else { "" }];
        let attribution = sources.into_iter().filter(|source| !source.is_empty()).collect::<Vec<_>>().join(" · ");
        let canvas = &heat.canvas;
        let legend = self.legend()?;
        let is_globe = canvas.projection().wraps();
        let lat = canvas.center_lat();
        let side = if lat.round() < 0.0 { "S" } else { "N" };
        let scale_note = if is_globe { format!("at {}°{side}", lat.abs().round()) } else { String::new() };
        let print = Print {
            indices: &heat.indices,
            colors: heat.palette.colors(),
            outlines,
            title,
            subtitle,
            attribution: &attribution,
            legend: Some(&legend),
            pixel_width_m: canvas.pixel_size_m(lat).map(|[width_m, _]| width_m),
            scale_note: &scale_note,
            north_up: is_globe,
        };
        print.draw()
    }

    fn legend(self) -> Result<RgbaImage> {
        let Self { heat, style, unit } = self;
        let palette = style.legend_palette();
        let (ticks, unit) = match &heat.values {
            Some(Values { span, quantizer, .. }) => {
                let ticks = nice_ticks(span.vmin, span.vmax, |value| quantizer.position(value));
                let (factor, unit) = readable_unit(unit, span.vmax.abs().max(span.vmin.abs()));
                (scaled_ticks(&ticks, factor), unit)
            }
            None => (Vec::new(), "classic dots: an absolute scale".to_owned()),
        };
        Legend { palette: &palette, ticks: &ticks, title: "", unit: &unit, pixel_ratio: 1.0 }.draw()
    }
}
