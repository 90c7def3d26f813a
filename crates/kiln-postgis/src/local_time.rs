//! Local times as SQL.

use super::relation::{ColumnType, Relation};
use super::sql::Sql;
use jiff::tz::TimeZone;
use kiln_core::calendar::{TimePart, TimePartFilter};
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Parameter;

/// The name of a time zone that the database knows; `None` if the zone has no name.
pub(super) fn database_zone(zone: &TimeZone) -> Option<String> {
    // `AT TIME ZONE` looks up abbreviations before the IANA database, so `CET` is UTC+1 in summer too. These are the
    // zones that the names link to since its release 2024b.
    const ABBREVIATIONS: [(&str, &str); 4] =
        [("CET", "Europe/Brussels"), ("MET", "Europe/Brussels"), ("EET", "Europe/Athens"), ("WET", "Europe/Lisbon")];
    let name = zone.iana_name()?;
    let linked = ABBREVIATIONS.iter().find(|(abbreviation, _)| name.eq_ignore_ascii_case(abbreviation));
    Some(linked.map_or(name, |(_, linked)| linked).to_owned())
}

/// Checks that the database knows a time zone by its name.
///
/// # Errors
/// [`Error::Invalid`] for `tz` if the zone has no name.
pub(super) fn check_zone(zone: &TimeZone) -> Result<()> {
    match zone.iana_name() {
        Some(_) => Ok(()),
        None => Err(Error::invalid(Parameter::TZ, "a database needs a time zone with a name, such as Europe/Berlin")),
    }
}

/// Appends the local time of `time`, an expression of the type `kind`, as a timestamp without a time zone.
pub(super) fn push_local(sql: &mut Sql, time: &str, kind: ColumnType, zone: &TimeZone) {
    let zone = database_zone(zone).unwrap_or_else(|| "UTC".into());
    let is_local = kind == ColumnType::Timestamp;
    if is_local && zone == "UTC" {
        sql.push(time);
        return;
    }
    sql.push("(").push(time);
    if is_local {
        // Times without a time zone are UTC.
        sql.push(" AT TIME ZONE 'UTC'");
    }
    sql.push(" AT TIME ZONE ").value(zone, "text").push(")");
}

/// Appends a part of the local time of the points as an `int8`; NULL for points without a time.
pub(super) fn push_time_part(sql: &mut Sql, relation: &Relation, part: TimePart, zone: &TimeZone) {
    let (Some(time), Some(column)) = (relation.time_sql(), &relation.time) else {
        sql.push("NULL::int8");
        return;
    };
    let mut local = |before: &str, after: &str| {
        sql.push(before);
        push_local(sql, &time, column.kind, zone);
        sql.push(after);
    };
    let case = format!("CASE WHEN isfinite({time}) THEN ");
    match part {
        TimePart::Weekday => local(&format!("({case}date_part('isodow', "), ")::int8 - 1 END)"),
        TimePart::Date => local(&format!("({case}("), "::date - DATE '1970-01-01')::int8 END)"),
        TimePart::Year => {
            // The server has no year 0: the year -1 is 1 BC.
            local(&format!("({case}date_part('year', "), ")::int8");
            local(" + (date_part('year', ", ") < 0)::int4 END)");
        }
        TimePart::YearMonth => {
            local(&format!("({case}(date_part('year', "), ")::int8");
            local(" + (date_part('year', ", ") < 0)::int4) * 12");
            local(" + date_part('month', ", ")::int8 - 1 END)");
        }
        TimePart::Hour | TimePart::Day | TimePart::Week | TimePart::Month => {
            local(&format!("({case}date_part('{part}', "), ")::int8 END)");
        }
    }
}

/// Appends the condition that the time of a point matches `filter`.
pub(super) fn push_time_parts(sql: &mut Sql, relation: &Relation, filter: &TimePartFilter) {
    let (Some(time), Some(column)) = (relation.time_sql(), &relation.time) else {
        sql.push("false");
        return;
    };
    let values = |values: Option<Vec<i64>>, first: i64| {
        values.map(|values| values.into_iter().map(|value| (value + first) as i32).collect::<Vec<i32>>())
    };
    let sets = [
        ("hour", values(filter.hours.map(|hours| hours.values().collect()), 0)),
        // Monday is 1 in ISO 8601.
        ("isodow", values(filter.weekdays.map(|weekdays| weekdays.values().collect()), 1)),
        ("month", values(filter.months.map(|months| months.values().collect()), 0)),
    ];
    let mut separator = "(";
    for (part, values) in sets {
        let Some(values) = values else { continue };
        sql.push(separator).push("date_part('").push(part).push("', ");
        push_local(sql, &time, column.kind, &filter.zone);
        sql.push(")::int4 = ANY(").value(values, "int4[]").push(")");
        separator = " AND ";
    }
    sql.push(if separator == "(" { "true" } else { ")" });
}
