//! Supervisely JSON: `size` and `objects` of an image; a list of such; or each within `annotation`, as its API returns them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::bitmap::Bitmap;
use super::density::{Density, Fault};
use super::json::{self, Bounded, Point, parse, without_mark};
use super::report::{Extent, Reduction};
use super::scan::{Vertex, draw_line, draw_outlined, draw_rectangle};
use super::size::{ImageSizes, Placement};
use super::{AnnotationFile, MAX_VERTICES, check_limits};
use crate::limit::Reason;

#[derive(Deserialize)]
struct Size {
    width: usize,
    height: usize,
}

#[derive(Deserialize)]
struct Label<'b> {
    #[serde(rename = "classTitle", borrow)]
    class: Cow<'b, str>,
    #[serde(rename = "geometryType", alias = "shape", borrow, default)]
    geometry: Option<Cow<'b, str>>,
    #[serde(borrow, default)]
    points: Option<&'b RawValue>,
    #[serde(borrow, default)]
    bitmap: Option<&'b RawValue>,
}

#[derive(Deserialize)]
struct Points<'b> {
    exterior: Bounded<Point, MAX_VERTICES>,
    #[serde(borrow, default)]
    interior: Option<&'b RawValue>,
}

#[derive(Deserialize)]
struct Packed<'b> {
    #[serde(borrow)]
    data: Cow<'b, str>,
    /// Column and row of the top left pixel.
    origin: Point,
}

/// An image: its place in the file, its size and its labels.
struct Image<'b> {
    place: String,
    size: (usize, usize),
    objects: Option<&'b RawValue>,
}

/// Adds the sizes of the images of a file.
pub(super) fn sizes(file: &AnnotationFile<'_>, sizes: &mut ImageSizes) -> Result<(), Reason> {
    images(file, &mut |image| sizes.add(&image.place, image.size.0, image.size.1))
}

/// Draws the labels of a file.
pub(super) fn draw(
    file: &AnnotationFile<'_>,
    density: &mut Density,
    reduction: &mut Reduction<'_>,
) -> Result<(), Reason> {
    images(file, &mut |image| {
        let placement = Placement::new(image.size, density.size());
        let Some(objects) = image.objects else {
            return Ok(());
        };
        json::list(objects.get().as_bytes(), |position, value| {
            reduction.start_label()?;
            let place = || format!("{}, objects[{position}]", image.place);
            let label: Label<'_> = match parse(value) {
                Ok(label) => label,
                Err(reason) => {
                    reduction.reject(&place(), &reason);
                    return Ok(());
                }
            };
            reduction.add_class(&label.class)?;
            if reduction.is_chosen(&label.class) {
                match label.draw(&placement, density) {
                    Ok(extent) => reduction.drawn(&label.class, extent),
                    Err(Fault::Label(reason)) => reduction.reject(&place(), &reason),
                    Err(Fault::Limit(message)) => return Err(message),
                }
            }
            Ok(())
        })
    })
}

/// Calls `each` with every image of a file.
fn images<'b>(file: &AnnotationFile<'b>, each: &mut dyn FnMut(Image<'b>) -> Result<(), Reason>) -> Result<(), Reason> {
    let bytes = without_mark(file.bytes);
    if bytes.trim_ascii_start().starts_with(b"[") {
        return json::list(bytes, |position, value| {
            each(image(value.get().as_bytes(), format!("{}[{position}]", file.name), false)?)
        });
    }
    each(image(bytes, file.name.to_owned(), false)?)
}

/// An image; `is_inner` if it is the `annotation` of another object, which is followed once only.
fn image(bytes: &[u8], place: String, is_inner: bool) -> Result<Image<'_>, String> {
    let (mut size, mut objects, mut inner) = (None, None, None);
    let read = json::object(bytes, |key, value| {
        match key {
            "size" => {
                let Size { width, height } = parse(value).map_err(|message| format!("size: {message}"))?;
                size = Some((width, height));
            }
            "objects" => objects = Some(value),
            "annotation" => inner = Some(value),
            _ => {}
        }
        Ok(())
    });
    read.map_err(|message: String| format!("{place}: {message}"))?;
    match (size, inner) {
        (Some(size), _) => Ok(Image { place, size, objects }),
        (None, Some(inner)) if !is_inner => image(inner.get().as_bytes(), format!("{place}.annotation"), true),
        _ => Err(format!(
            "{place}: missing `size`; expected {{\"size\": {{\"width\": …, \"height\": …}}, \"objects\": […]}}"
        )),
    }
}

impl Label<'_> {
    fn draw(&self, placement: &Placement, density: &mut Density) -> Result<Extent, Fault> {
        match self.geometry() {
            "bitmap" => {
                let packed: Packed<'_> = parse(self.bitmap.ok_or_else(|| "missing `bitmap`".to_owned())?)?;
                let (width, height) = placement.image;
                Bitmap::decode(&packed.data, width * height, density)?.draw(packed.origin.0, placement, density)
            }
            "rectangle" => {
                let corners = self.points()?.exterior();
                let corners = corners.try_into().map_err(|corners: Vec<_>| {
                    format!("a rectangle of {} points; expected 2 opposite corners", corners.len())
                })?;
                draw_rectangle(corners, placement, density)
            }
            "polygon" => {
                let points = self.points()?;
                let holes = points.holes()?;
                let exterior = points.exterior();
                at_least(&exterior, 1, "a polygon")?;
                draw_outlined(&exterior, &holes, placement, density)
            }
            "line" | "polyline" => {
                let points = self.points()?.exterior();
                at_least(&points, 2, "a line")?;
                draw_line(&points, placement, density)
            }
            "point" => {
                let points = self.points()?.exterior();
                if points.len() != 1 {
                    return Err(Fault::Label(format!("a point of {} points; expected 1", points.len())));
                }
                draw_line(&points, placement, density)
            }
            "" => Err(Fault::Label("missing `geometryType`".to_owned())),
            other => {
                let other: String = other.chars().take(40).collect();
                Err(Fault::Label(format!(
                    "unsupported geometry {other:?}; rectangle, polygon, bitmap, line and point are drawn"
                )))
            }
        }
    }

    /// The name of the geometry; older files have none with a bitmap.
    fn geometry(&self) -> &str {
        self.geometry.as_deref().unwrap_or(if self.bitmap.is_some() { "bitmap" } else { "" })
    }

    fn points(&self) -> Result<Points<'_>, String> {
        parse(self.points.ok_or_else(|| "missing `points`".to_owned())?)
    }
}

impl Points<'_> {
    fn exterior(self) -> Vec<Vertex> {
        self.exterior.0.into_iter().map(|point| point.0).collect()
    }

    fn holes(&self) -> Result<Vec<Vec<Vertex>>, String> {
        let (mut holes, mut vertices) = (Vec::new(), self.exterior.0.len());
        let Some(interior) = self.interior else {
            return Ok(holes);
        };
        json::list(interior.get().as_bytes(), |_, value| {
            let hole = parse::<Bounded<Point, MAX_VERTICES>>(value)?;
            let hole: Vec<Vertex> = hole.0.into_iter().map(|point| point.0).collect();
            vertices += hole.len();
            check_limits(holes.len() + 1, vertices)?;
            holes.push(hole);
            Ok::<(), String>(())
        })?;
        Ok(holes)
    }
}

fn at_least(points: &[Vertex], least: usize, what: &str) -> Result<(), String> {
    if points.len() < least {
        return Err(format!("{what} of {} points; expected {least} or more", points.len()));
    }
    Ok(())
}
