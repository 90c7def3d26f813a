//! `docs/parameters.md`.

use crate::http::parameters::bounds_crs::BoundsCrsOptions;
use crate::http::parameters::mask_upload::{ArrayOptions, BackgroundOptions, ClassNamesOptions};
use crate::http::parameters::shared::ProjectionOptions;
use crate::http::parameters::tile_style::{TileSize, TileVersion};
use crate::http::routes::categories::CategoriesOptions;
use crate::http::routes::frames::FramesOptions;
use crate::http::routes::grid::GridFormatOptions;
use crate::http::routes::kml::KmlOptions;
use crate::http::routes::layer_changes::{LayerOptions, RemovalOptions};
use crate::http::routes::legend::{LegendOptions, SizeOptions};
use crate::http::routes::masks::picture::MaskPictureOptions;
use crate::http::routes::masks::put_mask::AnnotationSize;
use crate::http::routes::masks::{PositionOptions, WebhookOptions};
use crate::http::routes::matrix_body::{ChartFormatOptions, MatrixDataOptions};
use crate::http::routes::overlays::{OverlayOptions, SpanLegendOptions};
use crate::http::routes::point::PointOptions;
use crate::http::routes::points::PointsOptions;
use crate::http::routes::queries::QueryOptions;
use crate::http::routes::statistics::StatisticsOptions;
use crate::layer::{ColumnOptions, FilterOptions, InputOptions, StyleOptions};
use crate::masks::{MaskOptions, ReadMaskOptions};
use crate::matrix::{MatrixFormatOptions, MatrixOptions, MatrixStyleOptions, MatrixTableOptions, TableColumnOptions};
use crate::occupancy::{GridOptions, GridStyleOptions};
use crate::parameters::{Declaration, ParameterSet};

const INTRODUCTION: &str = "\
<!-- Generated from the declarations of the parameters by `make parameters`. -->

# Parameters

Query strings, forms and JSON bodies of requests, `style` tables of `kiln.toml` and flags of the command line accept the same
parameters. An unknown parameter is an error.
";

/// A table of parameters, `with_flags` if the command line has them too.
pub(super) fn table(declarations: impl IntoIterator<Item = &'static Declaration>, with_flags: bool) -> String {
    let row = |cells: &[&str]| {
        let cells = cells.iter().map(|cell| cell.replace('|', "\\|"));
        format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
    };
    let mut text = if with_flags {
        row(&["name", "flag", "value", "default", "description"]) + &row(&["---"; 5])
    } else {
        row(&["name", "value", "default", "description"]) + &row(&["---"; 4])
    };
    for declaration in declarations {
        let names: Vec<String> = declaration.names().map(|name| format!("`{name}`")).collect();
        let flag = if declaration.has_flag { format!("`{}`", declaration.parameter.flag()) } else { "–".to_owned() };
        let (names, accepts, summary) = (names.join(", "), declaration.kind.accepts(), declaration.summary());
        let mut cells = vec![names.as_str(), &flag, &accepts, declaration.default.unwrap_or("–"), &summary];
        if !with_flags {
            cells.remove(1);
        }
        text.push_str(&row(&cells));
    }
    text
}

#[test]
fn the_table_of_parameters_is_generated() {
    fn of<S: ParameterSet>() -> Vec<&'static Declaration> {
        S::declarations().collect()
    }
    let mut text = INTRODUCTION.to_owned();
    for (title, about, declarations) in [
        ("Style", "Appearance of a picture: dots, values and colors.", of::<StyleOptions>()),
        ("Filter", "Selection of points.", of::<FilterOptions>()),
        (
            "Columns",
            "Columns of an input: on the command line, and in the query string of `POST /{layer}/points`.",
            of::<ColumnOptions>(),
        ),
        (
            "Inputs",
            "Format of an input: on the command line, in the query string of `POST /{layer}/points`, and as keys of a layer or a job in \
             `kiln.toml`. [Inputs](inputs.md) describes the formats.",
            of::<InputOptions>(),
        ),
        (
            "Masks",
            "How an array is drawn: by `kiln mask`, and by the routes of `/masks`. [Masks](masks.md) has the rules.",
            of::<MaskOptions>(),
        ),
        (
            "Grids",
            "Cells of an occupancy grid: of `kiln grid` and of `GET /{layer}/grid` and `POST /{layer}/grid`.",
            of::<GridOptions>(),
        ),
        (
            "Grid pictures",
            "Appearance of the pictures of a grid: of `kiln grid`, `GET /{layer}/grid` and `POST /{layer}/grid`.",
            of::<GridStyleOptions>(),
        ),
        (
            "Matrices",
            "Axes and values of a matrix of points: of `kiln matrix` and of `GET /{layer}/matrix`.",
            of::<MatrixOptions>(),
        ),
        (
            "Matrix inputs",
            "Labels and axes of an input that is a matrix itself: of `kiln matrix` and of `POST /matrix`.",
            of::<MatrixTableOptions>(),
        ),
        (
            "Matrix charts",
            "Appearance of the chart of a matrix: of `kiln matrix`, `GET /{layer}/matrix` and `POST /matrix`.",
            of::<MatrixStyleOptions>(),
        ),
    ] {
        text += &["\n## ", title, "\n\n", about, "\n\n", &table(declarations, true)].concat();
    }
    text.push_str("\n## Routes\n\nParameters of individual routes. Tiles, pictures, legends, values, statistics and frames also accept the style and the \
         filter; all routes of points accept the filter.\n");
    for (route, declarations) in [
        ("GET /{layer}", of::<TileSize>()),
        ("GET /{layer}/{z}/{x}/{y}.png", [of::<TileSize>(), of::<TileVersion>()].concat()),
        ("GET /{layer}/bbox/{bounds}/{size}", [of::<BoundsCrsOptions>(), of::<ProjectionOptions>()].concat()),
        (
            "GET /{layer}/legend.png, legend.json",
            [of::<LegendOptions>(), of::<BoundsCrsOptions>(), of::<SizeOptions>(), of::<ProjectionOptions>()].concat(),
        ),
        ("GET /{layer}/doc.kml", of::<KmlOptions>()),
        ("GET /{layer}/point/{lon},{lat}", of::<PointOptions>()),
        ("GET /{layer}/points", [of::<PointsOptions>(), of::<BoundsCrsOptions>()].concat()),
        ("GET /{layer}/categories", of::<CategoriesOptions>()),
        ("GET /{layer}/statistics", of::<StatisticsOptions>()),
        ("GET /{layer}/frames", [of::<FramesOptions>(), of::<TileSize>()].concat()),
        ("GET /{layer}/grid, POST /{layer}/grid", [of::<GridFormatOptions>(), of::<BoundsCrsOptions>()].concat()),
        ("GET /{layer}/matrix", [of::<MatrixFormatOptions>(), of::<BoundsCrsOptions>()].concat()),
        ("POST /matrix", [of::<MatrixDataOptions>(), of::<TableColumnOptions>(), of::<ChartFormatOptions>()].concat()),
        ("POST /overlays", [of::<OverlayOptions>(), of::<BoundsCrsOptions>(), of::<ProjectionOptions>()].concat()),
        ("GET /overlays/legend.png", of::<SpanLegendOptions>()),
        (
            "POST /masks",
            [
                of::<ArrayOptions>(),
                of::<BackgroundOptions>(),
                of::<ReadMaskOptions>(),
                of::<ClassNamesOptions>(),
                of::<WebhookOptions>(),
            ]
            .concat(),
        ),
        (
            "PUT /masks/{id}/mask",
            [of::<ArrayOptions>(), of::<ReadMaskOptions>(), of::<ClassNamesOptions>(), of::<AnnotationSize>()].concat(),
        ),
        ("PUT /masks/{id}/background", of::<BackgroundOptions>()),
        ("PATCH /masks/{id}", of::<WebhookOptions>()),
        ("GET /masks/{id}.png", of::<MaskPictureOptions>()),
        ("GET /masks/{id}/value, POST /masks/{id}/click", of::<PositionOptions>()),
        ("GET /masks/{id}/legend.png, legend.json", of::<SpanLegendOptions>()),
        ("POST /queries", of::<QueryOptions>()),
        ("PUT /{layer}", [of::<LayerOptions>(), of::<RemovalOptions>()].concat()),
    ] {
        text += &["\n### `", route, "`\n\n", &table(declarations, false)].concat();
    }
    super::assert_file("docs/parameters.md", &text);
}
