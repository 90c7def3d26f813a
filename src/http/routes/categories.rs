//! `GET /{layer}/categories`: the categories of a layer with their numbers of points, for lists to choose from.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use axum::body::Body;
use axum::extract::{Path, RawQuery};
use axum::http::Response;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Result};
use crate::http::parameters::fields::Fields;
use crate::http::parameters::filter::Filter;
use crate::http::parameters::openapi::InQuery;
use crate::http::server::App;
use crate::http::server::price::Price;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::layer::{FilterOptions, Layer};
use crate::matrix::{Axis, AxisKeys, MatrixRequest, PointMatrix};
use crate::message;
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};

parameter_set! {
    /// Which categories are listed.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct CategoriesOptions {
        /// Part of the name of the listed categories. Both are compared in lower case, so that `STRASSE` does not find `Straße`.
        search: String = Declaration::new(Parameter::SEARCH, Kind::Text).default("all categories").example("bu"),
        /// Maximum number of listed categories.
        limit: u64 = Declaration::new(Parameter::LIMIT, Kind::Integer { min: 1, max: CategoryListReply::MAX_LISTED as u64 })
            .default("50"),
    }
}

/// The categories of a layer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct CategoryListReply {
    /// Categories with the most points, in descending order; those with the same number are in alphabetical order.
    categories: Vec<CategoryEntry>,
    /// Number of categories whose name contains `search`.
    #[schema(example = 2)]
    matching: u64,
    /// Number of all categories.
    #[schema(example = 2)]
    total: u64,
    /// Number of points without a category.
    #[schema(example = 0)]
    without_category: u64,
}

/// A category with the number of its points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
struct CategoryEntry {
    /// Name of the category.
    #[schema(example = "bus")]
    name: String,
    /// Number of points.
    #[schema(example = 34)]
    points: u64,
}

impl CategoryListReply {
    /// The maximum number of listed categories.
    const MAX_LISTED: usize = 1000;
    /// The default of `limit`.
    const LISTED: usize = 50;

    /// Lists up to `limit` categories whose name contains `search`, from the points by category.
    fn new(points: &PointMatrix, search: &str, limit: usize) -> Self {
        let AxisKeys::Names(names) = &points.x else {
            return Self { without_category: points.unplaced, ..Self::default() };
        };
        let mut counts = vec![0; names.len()];
        for cell in &points.cells {
            if let Some(count) = counts.get_mut(cell.x as usize) {
                *count += cell.count;
            }
        }
        let search = search.trim().to_lowercase();
        let all = names.iter().zip(counts).map(|(name, points)| CategoryEntry { name: name.to_string(), points });
        let mut categories: Vec<CategoryEntry> =
            all.filter(|entry| search.is_empty() || entry.name.to_lowercase().contains(&search)).collect();
        let matching = categories.len() as u64;
        categories.sort_by(|a, b| b.points.cmp(&a.points).then_with(|| a.name.cmp(&b.name)));
        categories.truncate(limit);
        Self { categories, matching, total: names.len() as u64, without_category: points.unplaced }
    }
}

/// Categories of a layer
///
/// The categories of the points that pass the filter, with their numbers of points. `search` limits the list to names that
/// contain a text, and `limit` to the categories with the most points.
#[utoipa::path(get, path = "/{layer}/categories", operation_id = "list_categories", tag = "layers",
    params(("layer" = String, Path, description = "A layer of the catalog", example = "stops"), InQuery<CategoriesOptions>, InQuery<FilterOptions>),
    responses(
        (status = 200, description = "The categories", body = CategoryListReply),
        (status = 400, description = "Invalid parameter", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Unknown layer", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or the request timed out", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn categories(
    app: Session,
    Path(layer): Path<String>,
    RawQuery(query): RawQuery,
) -> HttpResult<Response<Body>> {
    let layer = app.layer(&layer)?;
    let mut fields = Fields::from_query(query.as_deref().unwrap_or_default())?;
    let CategoriesOptions { search, limit } = fields.read()?;
    let filter = Filter::read(&mut fields, &app.config.limits)?;
    fields.finish()?;
    let search = search.unwrap_or_default();
    let limit = limit.map_or(CategoryListReply::LISTED, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let key = format!("categories/{}/{}/{limit}/{search:?}?{filter}", layer.name(), layer.version());
    let shared = Arc::clone(&app);
    let name = layer.name().to_owned();
    let price = Price::of_scan(&layer, &filter);
    let compute = move |stop: &AtomicBool| {
        let points =
            count(&shared, &layer, &filter, stop).map_err(|error| unreadable(&layer, filter.request_error(error)))?;
        Ok(CategoryListReply::new(&points, &search, limit))
    };
    app.cached_json(&name, &key, price, compute).await
}

/// The error of a request for the categories of a file that has changed since the server started.
fn unreadable(layer: &Layer, error: Error) -> Error {
    match error {
        Error::Input { .. } => {
            tracing::warn!(layer = layer.name(), %error, "the categories cannot be read");
            let detail =
                "the category column of the layer cannot be read; its file has changed since the server started";
            Error::invalid(Parameter::LAYER, detail)
        }
        other => other,
    }
}

/// Counts the points that pass the filter by category.
fn count(app: &App, layer: &Layer, filter: &Filter, stop: &AtomicBool) -> Result<PointMatrix> {
    let limit = app.config.limits.cells;
    let query = filter.applied_to(layer.query()).with_stop(Some(stop));
    let request =
        MatrixRequest::new(Axis::Category, Axis::Whole).with_max_cells(usize::try_from(limit).unwrap_or(usize::MAX));
    layer.point_set().matrix(&query, &request, app.render_threads()).map_err(|error| {
        if error.to_string() != request.too_many_cells().to_string() {
            return error;
        }
        let text = format!("the layer has more than {limit} categories, the limit limits.cells; filter with ");
        Error::invalid(Parameter::LAYER, message!(text, Parameter::START, " and ", Parameter::END))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::matrix::MatrixCell;

    fn points() -> PointMatrix {
        let cell = |x, count| MatrixCell { x, y: 0, count, sum: 0.0, max: 0.0 };
        PointMatrix {
            x: AxisKeys::Names(["Bahn", "bus", "Schnellbus", "tram"].map(Into::into).to_vec()),
            cells: vec![cell(0, 2), cell(1, 5), cell(2, 9), cell(3, 2)],
            unplaced: 3,
            ..PointMatrix::default()
        }
    }

    fn names(reply: &CategoryListReply) -> Vec<(&str, u64)> {
        reply.categories.iter().map(|CategoryEntry { name, points }| (name.as_str(), *points)).collect()
    }

    #[test]
    fn the_largest_categories_are_first() {
        let reply = CategoryListReply::new(&points(), "", 3);
        assert_eq!(names(&reply), [("Schnellbus", 9), ("bus", 5), ("Bahn", 2)]);
        assert_eq!((reply.matching, reply.total, reply.without_category), (4, 4, 3));
    }

    #[test]
    fn a_search_ignores_case_and_finds_parts_of_names() {
        assert_eq!(names(&CategoryListReply::new(&points(), " BUS ", 50)), [("Schnellbus", 9), ("bus", 5)]);
        let limited = CategoryListReply::new(&points(), "bus", 1);
        assert_eq!((names(&limited), limited.matching, limited.total), (vec![("Schnellbus", 9)], 2, 4));
        assert_eq!(names(&CategoryListReply::new(&points(), "plane", 50)), []);
    }

    #[test]
    fn points_without_categories_have_an_empty_list() {
        let bare = PointMatrix { unplaced: 7, ..PointMatrix::default() };
        let reply = CategoryListReply::new(&bare, "", 50);
        assert_eq!((reply.categories.len(), reply.total, reply.without_category), (0, 0, 7));
    }
}
