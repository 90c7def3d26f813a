//! COCO JSON: a dataset with `images`, `categories` and `annotations`.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::density::{Density, Fault};
use super::json::{self, Bounded, parse, without_mark};
use super::report::{Extent, MAX_CLASSES, Reduction};
use super::rle::Runs;
use super::scan::{Vertex, draw_polygons};
use super::size::{ImageSizes, Placement};
use super::{AnnotationFile, AnnotationOptions, MAX_VERTICES, check_limits};
use crate::limit::Reason;

#[derive(Deserialize)]
struct ImageFields<'b> {
    #[serde(borrow)]
    id: &'b RawValue,
    width: usize,
    height: usize,
    #[serde(default)]
    file_name: Option<String>,
}

#[derive(Deserialize)]
struct Category<'b> {
    #[serde(borrow)]
    id: &'b RawValue,
    name: String,
}

#[derive(Deserialize)]
struct Label<'b> {
    #[serde(borrow)]
    image_id: &'b RawValue,
    #[serde(borrow)]
    category_id: &'b RawValue,
    #[serde(borrow, default)]
    segmentation: Option<&'b RawValue>,
    #[serde(default)]
    bbox: Option<[f64; 4]>,
    #[serde(borrow, default)]
    iscrowd: Option<&'b RawValue>,
}

/// What labels refer to. Keys are the text of ids, which are numbers or strings.
struct Dataset<'b> {
    images: HashMap<&'b str, (usize, usize)>,
    classes: HashMap<&'b str, String>,
    annotations: Option<&'b RawValue>,
}

/// Adds the sizes of the images of a file.
pub(super) fn sizes(bytes: &[u8], sizes: &mut ImageSizes) -> Result<(), Reason> {
    json::object(without_mark(bytes), |key, value| {
        if key == "images" { images(value, &mut |image| add(&image, sizes)) } else { Ok(()) }
    })
}

fn add(image: &ImageFields<'_>, sizes: &mut ImageSizes) -> Result<(), Reason> {
    let name = image.file_name.clone().unwrap_or_else(|| format!("image {}", image.id.get()));
    sizes.add(&name, image.width, image.height)
}

fn images<'b>(value: &'b RawValue, each: &mut dyn FnMut(ImageFields<'b>) -> Result<(), Reason>) -> Result<(), Reason> {
    let read = |position: usize, value: &'b RawValue| {
        let image = parse(value).map_err(|message| format!("images[{position}]: {message}"))?;
        each(image)
    };
    json::list(value.get().as_bytes(), read)
}

impl<'b> Dataset<'b> {
    fn read(bytes: &'b [u8], reduction: &mut Reduction<'_>) -> Result<Self, Reason> {
        let mut dataset = Self { images: HashMap::new(), classes: HashMap::new(), annotations: None };
        json::object(without_mark(bytes), |key, value| match key {
            "images" => images(value, &mut |image| {
                let before = dataset.images.insert(image.id.get(), (image.width, image.height));
                if before.is_some() { Err(format!("two images have the id {}", image.id.get()).into()) } else { Ok(()) }
            }),
            "categories" => json::list(value.get().as_bytes(), |position, value| {
                let category: Category<'_> =
                    parse(value).map_err(|message| format!("categories[{position}]: {message}"))?;
                reduction.add_class(&category.name)?;
                if dataset.classes.len() == MAX_CLASSES {
                    return Err(format!("the categories exceed the limit of {MAX_CLASSES}").into());
                }
                match dataset.classes.insert(category.id.get(), category.name) {
                    Some(_) => Err(format!("two categories have the id {}", category.id.get()).into()),
                    None => Ok(()),
                }
            }),
            "annotations" => {
                dataset.annotations = Some(value);
                Ok(())
            }
            _ => Ok(()),
        })?;
        Ok(dataset)
    }
}

/// Draws the labels of a file.
pub(super) fn draw(
    file: &AnnotationFile<'_>,
    options: &AnnotationOptions,
    density: &mut Density,
    reduction: &mut Reduction<'_>,
) -> Result<(), Reason> {
    let dataset = Dataset::read(file.bytes, reduction)?;
    let annotations = dataset.annotations.ok_or("missing `annotations`; expected a COCO dataset")?;
    json::list(annotations.get().as_bytes(), |position, value| {
        reduction.start_label()?;
        match draw_label(value, &dataset, options, density, reduction) {
            Ok(Some((class, extent))) => reduction.drawn(class, extent),
            Ok(None) => {}
            Err(Fault::Label(reason)) => reduction.reject(&format!("{}, annotations[{position}]", file.name), &reason),
            Err(Fault::Limit(message)) => return Err(message),
        }
        Ok(())
    })
}

/// Draws a label; `None` if its class is not chosen, or if it is a crowd that is skipped.
fn draw_label<'d>(
    value: &RawValue,
    dataset: &'d Dataset<'_>,
    options: &AnnotationOptions,
    density: &mut Density,
    reduction: &mut Reduction<'_>,
) -> Result<Option<(&'d str, Extent)>, Fault> {
    let label: Label<'_> = parse(value)?;
    let class = dataset.classes.get(label.category_id.get());
    let class = class.ok_or_else(|| format!("no category has the id {}", label.category_id.get()))?;
    let image = dataset.images.get(label.image_id.get());
    let image = *image.ok_or_else(|| format!("no image has the id {}", label.image_id.get()))?;
    if !reduction.is_chosen(class) {
        return Ok(None);
    }
    if options.skip_crowds && label.iscrowd.is_some_and(|crowd| matches!(crowd.get(), "1" | "true")) {
        reduction.skip();
        return Ok(None);
    }
    let placement = Placement::new(image, density.size());
    let extent = match label.shape(image)? {
        Shape::Runs(runs) => runs.draw(&placement, density)?,
        Shape::Polygons(rings) => draw_polygons(&rings, &placement, density)?,
    };
    Ok(Some((class, extent)))
}

enum Shape {
    Polygons(Vec<Vec<Vertex>>),
    Runs(Runs),
}

impl Label<'_> {
    /// The segmentation, or the box if there is none.
    fn shape(&self, image: (usize, usize)) -> Result<Shape, String> {
        if let Some(value) = self.segmentation {
            if value.get().starts_with('{') {
                return Runs::parse(value, image).map(Shape::Runs);
            }
            let rings = rings(value).map_err(|message| format!("segmentation: {message}"))?;
            if !rings.is_empty() {
                return Ok(Shape::Polygons(rings));
            }
        }
        let [x, y, width, height] = self.bbox.ok_or("no segmentation and no bbox; expected one of them")?;
        if width < 0.0 || height < 0.0 {
            return Err(format!("a bbox of {width} × {height}; expected 0 or more"));
        }
        Ok(Shape::Polygons(vec![vec![[x, y], [x + width, y], [x + width, y + height], [x, y + height]]]))
    }
}

/// The polygons of a segmentation, each a list of x and y in turn.
fn rings(value: &RawValue) -> Result<Vec<Vec<Vertex>>, String> {
    let (mut rings, mut vertices) = (Vec::new(), 0);
    json::list(value.get().as_bytes(), |_, value| {
        let ring = ring(&parse::<Bounded<f64, { 2 * MAX_VERTICES }>>(value)?.0)?;
        vertices += ring.len();
        check_limits(rings.len() + 1, vertices)?;
        rings.push(ring);
        Ok::<(), String>(())
    })?;
    Ok(rings)
}

fn ring(numbers: &[f64]) -> Result<Vec<Vertex>, String> {
    if numbers.len() < 6 || numbers.len() % 2 == 1 {
        return Err(format!("a polygon of {} numbers; expected x and y of 3 vertices or more", numbers.len()));
    }
    Ok(numbers.chunks_exact(2).map(|pair| [pair[0], pair[1]]).collect())
}
