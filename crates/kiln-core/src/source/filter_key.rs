//! The keys of filters in caches.

use std::fmt::Write as _;

use super::Filter;

impl Filter {
    /// A key for caches of this process: equal for equal filters, and different for others. It is short, and takes no time in
    /// proportion to the categories and the polygon, whose digests are computed once.
    pub fn key(&self) -> String {
        let Self { start_us, end_us, time_parts, categories, polygon, comparisons } = self;
        let mut key = String::new();
        // Writing to a string does not fail.
        let mut add = |name: &str, value: std::fmt::Arguments<'_>| {
            let _ = write!(key, "{name}={value};");
        };
        if let Some(start_us) = start_us {
            add("start", format_args!("{start_us}"));
        }
        if let Some(end_us) = end_us {
            add("end", format_args!("{end_us}"));
        }
        for filter in time_parts {
            add("times", format_args!("{filter}"));
        }
        if !categories.is_empty() {
            add("categories", format_args!("{:x}", categories.digest()));
        }
        if let Some(polygon) = polygon {
            add("polygon", format_args!("{:x}", polygon.digest()));
        }
        for comparison in comparisons {
            add("where", format_args!("{comparison}"));
        }
        key
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::geo::Polygon;

    #[test]
    fn keys_are_short_and_differ_for_different_filters() {
        let square =
            |side: f64| Polygon::new(&[vec![vec![[0.0, 0.0], [side, 0.0], [side, side], [0.0, 0.0]]]]).unwrap();
        let of = |names: &[&str], polygon: Option<Polygon>, start_us| Filter {
            categories: names.iter().map(|name| Box::from(*name)).collect(),
            polygon: polygon.map(Arc::new),
            start_us,
            ..Filter::default()
        };
        let all = [
            of(&[], None, None),
            of(&["a"], None, None),
            of(&["a", "b"], None, None),
            of(&["ab"], None, None),
            of(&["a"], Some(square(1.0)), None),
            of(&["a"], Some(square(2.0)), None),
            of(&["a"], None, Some(1)),
        ];
        for (one, filter) in all.iter().enumerate() {
            for (other, compared) in all.iter().enumerate() {
                assert_eq!(filter.key() == compared.key(), one == other, "{filter} {compared}");
            }
        }
        assert_eq!(of(&["b", "a", "b"], Some(square(1.0)), None).key(), of(&["a", "b"], Some(square(1.0)), None).key());
        let many: Vec<String> = (0..50_000).map(|name| name.to_string()).collect();
        assert!(Filter { categories: many.into(), ..Filter::default() }.key().len() < 64);
    }
}
