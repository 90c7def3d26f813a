//! How near a name is to another that may have been meant.

use strsim::levenshtein;

/// The `known` names, the nearest to `name` first: those that hold it or are held by it, then by the letters that differ.
/// Case does not count; equally near names keep their order.
pub fn nearest_first<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let name = name.to_lowercase();
    let mut names: Vec<&str> = known.into_iter().collect();
    names.sort_by_cached_key(|known| {
        let known = known.to_lowercase();
        let holds = |outer: &str, inner: &str| inner.len() > 2 && outer.contains(inner);
        (!(holds(&known, &name) || holds(&name, &known)), levenshtein(&name, &known))
    });
    names
}

/// Up to three of the `known` words that `word` may have meant, nearest first. Of a word counts what `key` makes of it.
pub fn nearest<'n>(word: &str, known: impl IntoIterator<Item = &'n str>, key: impl Fn(&str) -> String) -> Vec<&'n str> {
    let wanted = key(word);
    let far = 1 + wanted.chars().count() / 3;
    let mut near: Vec<_> = known
        .into_iter()
        .map(|candidate| (levenshtein(&wanted, &key(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= far || (wanted.len() > 2 && key(candidate).contains(&wanted)))
        .collect();
    near.sort_unstable();
    near.dedup();
    near.truncate(3);
    near.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The question whether one of the `nearest` words was meant, with a space behind it; nothing if there is none.
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
    fn the_nearest_comes_first_and_the_far_not_at_all() {
        let known = ["ttl", "max_count", "max_size", "folder"];
        assert_eq!(nearest("maxsize", known, str::to_owned), ["max_size"]);
        assert_eq!(nearest("tl", known, str::to_owned), ["ttl"]);
        assert!(nearest("elephant", known, str::to_owned).is_empty());
        assert_eq!(did_you_mean(&["a", "b"]), "did you mean a or b? ");
        assert_eq!(did_you_mean(&[]), "");
    }
}
