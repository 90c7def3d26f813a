//! A query of fewer points.

use std::sync::Arc;

use super::Query;
use crate::geo::Polygon;

/// A category that no point has.
const NO_CATEGORY: &str = "\u{10ffff}";

impl Query<'_> {
    /// The same query for those of its points alone that pass another filter too. Of polygons there can be only one: where
    /// the query has one already, `polygon` is to be `None`.
    #[must_use]
    pub fn narrowed(
        mut self,
        start_us: Option<i64>,
        end_us: Option<i64>,
        categories: &[String],
        polygon: Option<&Arc<Polygon>>,
    ) -> Self {
        self.start_us = self.start_us.max(start_us);
        self.end_us = match (self.end_us, end_us) {
            (Some(own), Some(other)) => Some(own.min(other)),
            (own, other) => own.or(other),
        };
        if self.in_categories.is_empty() {
            self.in_categories = categories.to_vec();
        } else if !categories.is_empty() {
            self.in_categories.retain(|category| categories.contains(category));
            if self.in_categories.is_empty() {
                self.in_categories.push(NO_CATEGORY.to_owned());
            }
        }
        self.polygon = self.polygon.or_else(|| polygon.map(Arc::clone));
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_passes_both_filters() {
        let text = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let query = Query::default().narrowed(Some(1), Some(9), &text(&["a", "b"]), None);
        let narrow = query.clone().narrowed(Some(3), None, &text(&["b", "c"]), None);
        assert_eq!((narrow.start_us, narrow.end_us, narrow.in_categories), (Some(3), Some(9), text(&["b"])));
        let narrow = query.clone().narrowed(None, Some(12), &[], None);
        assert_eq!((narrow.start_us, narrow.end_us, narrow.in_categories), (Some(1), Some(9), text(&["a", "b"])));
        assert_eq!(query.narrowed(None, None, &text(&["c"]), None).in_categories, [NO_CATEGORY]);
    }
}
