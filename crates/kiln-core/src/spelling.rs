//! Suggestions for misspelled names.

use strsim::levenshtein;

/// The `known` names, the nearest to `name` first: names that contain `name` or are contained in it, then the others by
/// edit distance. Case is ignored; equally near names keep their order.
pub fn nearest_first<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let name = name.to_lowercase();
    let mut names: Vec<&str> = known.into_iter().collect();
    names.sort_by_cached_key(|known| {
        let known = known.to_lowercase();
        let contains = |outer: &str, inner: &str| inner.len() > 2 && outer.contains(inner);
        (!(contains(&known, &name) || contains(&name, &known)), levenshtein(&name, &known))
    });
    names
}

/// Up to three `known` words that are similar to `word`, nearest first. Words are compared by their `key`.
pub fn nearest<'n>(word: &str, known: impl IntoIterator<Item = &'n str>, key: impl Fn(&str) -> String) -> Vec<&'n str> {
    let word = key(word);
    let max_distance = 1 + word.chars().count() / 3;
    let mut near: Vec<_> = known
        .into_iter()
        .map(|candidate| (levenshtein(&word, &key(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= max_distance || (word.len() > 2 && key(candidate).contains(&word)))
        .collect();
    near.sort_unstable();
    near.dedup();
    near.truncate(3);
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

/// Up to three of the `reserved` and other `known` words that are similar to `word`, the reserved words first: they are
/// meant more often than names that anybody can choose. A word with the same start, such as `city` and `cities`, is similar
/// as well. Case, `-` and `_` are ignored.
pub fn nearest_of<'n>(
    word: &str,
    reserved: impl IntoIterator<Item = &'n str>,
    known: impl IntoIterator<Item = &'n str>,
) -> Vec<&'n str> {
    let key = |word: &str| word.to_lowercase().replace('-', "_");
    let start = key(word);
    let has_same_start = |known: &&str| {
        let (known, length) = (key(known), start.chars().count());
        let same = start.chars().zip(known.chars()).take_while(|(one, other)| one == other).count();
        same >= 3 && 4 * same >= 3 * length
    };
    let known: Vec<&str> = known.into_iter().collect();
    let same_start = known.iter().copied().filter(has_same_start);
    let mut near: Vec<&str> = Vec::new();
    for word in
        nearest(word, reserved, key).into_iter().chain(nearest(word, known.iter().copied(), key)).chain(same_start)
    {
        if !near.contains(&word) {
            near.push(word);
        }
    }
    near.truncate(3);
    near
}

/// The hint `did you mean a or b? ` with the `nearest` words and a trailing space; empty if there are none.
pub fn did_you_mean(nearest: &[&str]) -> String {
    if nearest.is_empty() { String::new() } else { format!("did you mean {}? ", nearest.join(" or ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_names_come_first() {
        let names = ["id", "name", "POPULATION", "weigth"];
        assert_eq!(nearest_first("pop", names)[0], "POPULATION");
        assert_eq!(nearest_first("Weight", names)[0], "weigth");
        assert_eq!(nearest_first("nome", names)[..2], ["name", "id"]);
    }

    #[test]
    fn reserved_words_are_suggested_before_names() {
        let reserved = ["catalog", "health", "openapi.json"];
        assert_eq!(nearest_of("catalogue", reserved, ["cities"]), ["catalog"]);
        assert_eq!(nearest_of("catalogs", reserved, ["catalogs2", "cities"]), ["catalog", "catalogs2"]);
        assert_eq!(nearest_of("Citys", reserved, ["cities"]), ["cities"]);
        assert_eq!(nearest_of("min-count", ["min_count"], []), ["min_count"]);
        assert_eq!(nearest_of("city", reserved, ["cities", "flights"]), ["cities"]);
        assert!(nearest_of("zebra", reserved, ["cities"]).is_empty());
    }

    #[test]
    fn similar_words_are_suggested_and_others_are_not() {
        let known = ["ttl", "max_count", "max_size", "folder"];
        assert_eq!(nearest("maxsize", known, str::to_owned), ["max_size"]);
        assert_eq!(nearest("tl", known, str::to_owned), ["ttl"]);
        assert!(nearest("elephant", known, str::to_owned).is_empty());
        assert_eq!(did_you_mean(&["a", "b"]), "did you mean a or b? ");
        assert_eq!(did_you_mean(&[]), "");
    }
}
