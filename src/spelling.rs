//! How near a name is to another that may have been meant.

/// The `known` names, the nearest to `name` first: those that hold it or are held by it, then by the letters that differ.
/// Case does not count; equally near names keep their order.
pub(crate) fn nearest_first<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Vec<&'n str> {
    let name = name.to_lowercase();
    let mut names: Vec<&str> = known.into_iter().collect();
    names.sort_by_cached_key(|known| {
        let known = known.to_lowercase();
        let holds = |outer: &str, inner: &str| inner.len() > 2 && outer.contains(inner);
        (!(holds(&known, &name) || holds(&name, &known)), edit_distance(&name, &known))
    });
    names
}

/// How many letters must be added, dropped or changed to turn one word into the other (Levenshtein).
pub(crate) fn edit_distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, against) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *against);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[other.len()]
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
}
