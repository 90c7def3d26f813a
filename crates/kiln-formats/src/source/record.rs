//! The members of JSON objects that a point is made of, found by name.

use std::sync::atomic::{AtomicBool, Ordering};

use serde::de::{self, MapAccess};

use super::Query;
use super::batch::Has;
use super::role::{Need, Role, listing, shown};
use super::value::{Any, Plain, Scalar, Take};
use kiln_core::error::{Error, Result};
use kiln_core::parameter::Message;
use kiln_core::spelling::nearest_first;

/// What the rows are called, and which roles their members have to fill.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// What one row is called: `feature`, `row`.
    pub(super) row: &'static str,
    /// What a named value in it is called: `property`, `member`.
    pub(super) member: &'static str,
    /// Whether longitude and latitude are members too.
    pub(super) places: bool,
}

/// What the first rows of a document look like: it settles which members are read.
#[derive(Debug, Default)]
pub(super) struct Sample {
    /// How many rows were met, broken lines aside.
    pub(super) rows: u64,
    /// The members met, in order, and whether any of their values was a number.
    members: Vec<(String, bool)>,
    /// How many of `members` are those of the first object that has any.
    in_first: usize,
    /// The most values met in a row that is a list.
    pub(super) widest_list: usize,
    scratch: Scalar,
}

impl Sample {
    /// Rows that a sample takes.
    pub(super) const MOST_ROWS: u64 = 1000;
    /// Different names that a sample keeps.
    const KEPT_NAMES: usize = 1000;

    fn note<'de, A: MapAccess<'de>>(&mut self, object: &mut A) -> Result<(), A::Error> {
        while let Some(name) = object.next_key::<String>()? {
            object.next_value_seed(Any(&mut self.scratch))?;
            let numeric = self.scratch.number().is_some();
            if let Some((_, was_numeric)) = self.members.iter_mut().find(|(known, _)| *known == name) {
                *was_numeric |= numeric;
            } else if self.members.len() < Self::KEPT_NAMES {
                self.members.push((name, numeric));
            }
        }
        if self.in_first == 0 {
            self.in_first = self.members.len();
        }
        Ok(())
    }

    /// The member called `name`, whatever its case, as it is written in the document.
    fn find(&self, name: &str, numeric: bool) -> Option<&str> {
        let fits = |member: &&(String, bool)| member.1 || !numeric;
        let exact = self.members.iter().filter(fits).find(|(known, _)| known == name);
        exact
            .or_else(|| self.members.iter().filter(fits).find(|(known, _)| known.eq_ignore_ascii_case(name)))
            .map(|(known, _)| known.as_str())
    }

    /// The names in the first object.
    fn listed(&self) -> Vec<String> {
        self.members[..self.in_first].iter().map(|(name, _)| name.clone()).collect()
    }
}

/// Which member is read for which role, settled before the scan and shared by its workers.
#[derive(Debug)]
pub(super) struct Names {
    /// How the member for each role is written in the document.
    members: [Option<String>; 5],
    /// Whether any row had it.
    met: [AtomicBool; 5],
    /// Roles that share the member of an earlier role.
    twins: Vec<(Role, Role)>,
    weighted: bool,
    kind: Kind,
    /// The names in the first object, for messages.
    listed: Vec<String>,
}

impl Names {
    /// Settles the names for `query` from what the first rows of the document `input` look like.
    pub(super) fn settle(input: &str, kind: Kind, query: &Query<'_>, sample: &Sample) -> Result<Self> {
        let mut members: [Option<String>; 5] = Default::default();
        for role in Role::ALL {
            let is_place = matches!(role, Role::Lon | Role::Lat);
            let need = if is_place && !kind.places { Need::No } else { role.need(query) };
            if need != Need::No {
                members[role as usize] = match role.named(&query.columns.names) {
                    Some(name) => Some(sample.find(name, false).unwrap_or(name).to_owned()),
                    None => role
                        .usual_names()
                        .iter()
                        .find_map(|name| sample.find(name, role == Role::Weight))
                        .map(str::to_owned),
                };
            }
            // Rows that are lists have their places without names.
            let unnamed = is_place && sample.widest_list > 0;
            let needed = need == Need::Must && sample.rows > 0 && !unnamed;
            if needed && members[role as usize].is_none() {
                return Err(Error::input(input, Self::unfound(role, kind, &sample.listed())));
            }
        }
        let weighted = members[Role::Weight as usize].is_some() || (query.columns.weights && sample.widest_list > 2);
        let same = |a: Role, b: Role| members[a as usize].is_some() && members[a as usize] == members[b as usize];
        let first = |role: Role| Role::ALL.into_iter().find(|&other| same(other, role));
        let twins = Role::ALL.into_iter().filter_map(|role| first(role).map(|first| (first, role)));
        let twins = twins.filter(|(first, role)| first != role).collect();
        Ok(Self { members, met: Default::default(), twins, weighted, kind, listed: sample.listed() })
    }

    /// Names for a sample: none.
    pub(super) fn unsettled(kind: Kind) -> Self {
        let (members, met) = Default::default();
        Self { members, met, twins: Vec::new(), weighted: false, kind, listed: Vec::new() }
    }

    /// What every row has: a weight for sure, the others maybe.
    pub(super) fn has(&self) -> Has {
        let time = self.name(Role::Time).is_some();
        Has { weight: self.weighted, time, category: self.name(Role::Category).is_some() }
    }

    /// After the scan: an error if no row at all had a member that is needed.
    pub(super) fn check_met(&self, input: &str) -> Result<()> {
        for role in Role::ALL {
            let met = self.met[role as usize].load(Ordering::Relaxed);
            if let (Some(name), false) = (self.name(role), met) {
                let Kind { row, member, .. } = self.kind;
                let has = if self.listed.is_empty() {
                    "; none has any".to_owned()
                } else {
                    let names = nearest_first(name, self.listed.iter().map(String::as_str));
                    format!("; the first one has {}", listing(names))
                };
                return Err(Error::input(input, format!("no {row} has a {member} {}{has}", shown(name))));
            }
        }
        Ok(())
    }

    fn name(&self, role: Role) -> Option<&str> {
        self.members[role as usize].as_deref()
    }

    #[inline]
    fn role(&self, member: &str) -> Option<Role> {
        Role::ALL.into_iter().find(|&role| self.name(role) == Some(member))
    }

    fn meet(&self, role: Role) {
        // Looked at first, so that the workers do not fight for the line.
        if !self.met[role as usize].load(Ordering::Relaxed) {
            self.met[role as usize].store(true, Ordering::Relaxed);
        }
    }

    fn unfound(role: Role, kind: Kind, names: &[String]) -> Message {
        let Kind { row, member, .. } = kind;
        if names.is_empty() {
            let usual = role.usual_names().join(", ");
            format!("no {row} has a {member} for the {} (such as {usual}); none has any", role.word()).into()
        } else {
            role.unnamed(member, names.iter().map(String::as_str))
        }
    }
}

/// The values of one row, kept in buffers that serve for the next one too.
#[derive(Debug)]
pub(super) struct Record<'r> {
    names: &'r Names,
    values: [Scalar; 5],
    /// Where a sample is taken, members are noted here instead.
    pub(super) sample: Option<Sample>,
}

impl<'r> Record<'r> {
    pub(super) fn new(names: &'r Names) -> Self {
        Self { names, values: Default::default(), sample: None }
    }

    /// A record that notes which members there are, and keeps no value.
    pub(super) fn sampling(names: &'r Names) -> Self {
        Self { sample: Some(Sample::default()), ..Self::new(names) }
    }

    /// Forgets the last row.
    #[inline]
    pub(super) fn clear(&mut self) {
        for value in &mut self.values {
            value.clear();
        }
    }

    /// The place to put a value that has no name.
    pub(super) fn unnamed(&mut self, role: Role) -> &mut Scalar {
        self.names.meet(role);
        &mut self.values[role as usize]
    }

    /// The value for `role` as a number.
    pub(super) fn number(&self, role: Role) -> Result<f64, Role> {
        self.values[role as usize].number().ok_or(role)
    }

    /// The weight, if rows carry one.
    #[inline]
    pub(super) fn weight(&self) -> Result<Option<f64>, Role> {
        if self.names.weighted { self.number(Role::Weight).map(Some) } else { Ok(None) }
    }

    /// Microseconds since 1970 UTC, if a time is wanted and there is one.
    pub(super) fn time_us(&self) -> Result<Option<i64>, Role> {
        self.values[Role::Time as usize].time_us().ok_or(Role::Time)
    }

    /// The category, if one is wanted and there is one.
    pub(super) fn category(&mut self) -> Option<&str> {
        self.values[Role::Category as usize].text()
    }

    /// Says why the value for `role` does not serve.
    #[cold]
    pub(super) fn flaw(&self, role: Role) -> String {
        let name = self.names.name(role).unwrap_or(role.word());
        let value = &self.values[role as usize];
        if value.is_absent() {
            format!("{name} is missing")
        } else {
            format!("{name}: {value} is not a {}", if role == Role::Time { "time" } else { "number" })
        }
    }
}

impl<'de> Take<'de> for &mut Record<'_> {
    /// Whether it was an object.
    type Taken = bool;

    fn plain<E: de::Error>(self, value: Plain<'_>) -> Result<bool, E> {
        Ok(matches!(value, Plain::Object))
    }

    #[inline]
    fn object<A: MapAccess<'de>>(self, mut object: A) -> Result<bool, A::Error> {
        if let Some(sample) = &mut self.sample {
            sample.note(&mut object)?;
            return Ok(true);
        }
        while let Some(role) = object.next_key_seed(Any(RoleOf(self.names)))? {
            if let Some(role) = role {
                self.names.meet(role);
                object.next_value_seed(Any(&mut self.values[role as usize]))?;
            } else {
                object.next_value::<de::IgnoredAny>()?;
            }
        }
        for &(first, twin) in &self.names.twins {
            if !self.values[first as usize].is_absent() {
                self.names.meet(twin);
                self.values[twin as usize] = self.values[first as usize].clone();
            }
        }
        Ok(true)
    }
}

/// Takes a member's name for what the member is to the point.
struct RoleOf<'r>(&'r Names);

impl Take<'_> for RoleOf<'_> {
    type Taken = Option<Role>;

    #[inline]
    fn plain<E: de::Error>(self, name: Plain<'_>) -> Result<Option<Role>, E> {
        Ok(if let Plain::Text(name) = name { self.0.role(name) } else { None })
    }
}
