//! Resolution of a table specification to a relation.

use tokio_postgres::types::Kind as TypeKind;

use super::columns::{CatalogColumn, column_for};
use super::database::all;
use super::pool::PooledConnection;
use super::quote::identifier;
use super::relation::{Column, Geometry, Relation, TableName, TableSpec, WGS84};
use kiln_core::error::{DatabaseErrorKind, Error, Result};
use kiln_core::source::{Description, Role};

/// The reason why a relation cannot be a layer.
pub(super) type UnsuitableReason = String;

/// The declaration of a geometry column: its type, such as `Point`, and its SRID, 0 if it has none.
#[derive(Clone, Debug)]
pub(super) struct GeometryDeclaration {
    pub(super) shape: String,
    pub(super) srid: i32,
    pub(super) is_indexed: bool,
    pub(super) is_view: bool,
}

/// Resolves a specification.
///
/// # Errors
/// Those of the database. The inner error is the reason why the relation cannot be a layer.
pub(super) async fn resolve(
    connection: &mut PooledConnection,
    label: &str,
    spec: &TableSpec,
) -> Result<Result<Relation, UnsuitableReason>> {
    let (from, table, oid) = match (&spec.table, &spec.sql) {
        (Some(table), None) => match find(connection, table).await? {
            Some((table, oid)) => {
                (format!("{}.{} AS k", identifier(&table.schema), identifier(&table.name)), Some(table), Some(oid))
            }
            None => return Ok(Err(no_table(table))),
        },
        (None, Some(query)) => {
            let query = query.trim().trim_end_matches(';');
            (format!("({query}\n) AS k"), None, None)
        }
        _ => return Ok(Err("either table or sql is required, but not both".into())),
    };
    let statement = connection.columns(&format!("SELECT k.* FROM {from} LIMIT 0")).await?;
    let columns: Vec<CatalogColumn> = statement
        .columns()
        .iter()
        .map(|column| CatalogColumn {
            name: column.name().to_owned(),
            type_name: column.type_().name().to_owned(),
            is_enum: matches!(column.type_().kind(), TypeKind::Enum(_)),
        })
        .collect();
    let geometry = match geometry_column(spec, &columns) {
        Ok(found) => found,
        Err(reason) => return Ok(Err(reason)),
    };
    let declared = match (&table, geometry) {
        (Some(table), Some(geometry)) => declared(connection, table, &geometry.name).await?,
        _ => None,
    };
    let is_indexed = declared.as_ref().map(|declared| declared.is_indexed).filter(|_| table.is_some());
    let is_view = declared.as_ref().is_some_and(|declared| declared.is_view);
    let geometry = match geometry {
        Some(column) => match shape(connection, &from, spec, column, declared).await? {
            Ok(shape) => Some(shape),
            Err(reason) => return Ok(Err(reason)),
        },
        None => None,
    };
    let column = |role: Role, named: &Option<String>| column_for(role, named.as_deref(), &columns);
    let read = || -> Result<_, UnsuitableReason> {
        Ok((
            column(Role::Weight, &spec.weight)?,
            column(Role::Time, &spec.time)?,
            column(Role::Category, &spec.category)?,
        ))
    };
    Ok(read().map(|(weight, time, category)| Relation {
        label: label.to_owned(),
        from,
        table,
        oid,
        is_view,
        geometry,
        weight,
        time,
        category,
        columns: columns
            .iter()
            .filter_map(|found| {
                let kind = found.kind()?;
                Some(Column { name: found.name.clone(), kind, type_name: found.type_name.clone() })
            })
            .collect(),
        unsupported: columns.iter().filter(|found| found.kind().is_none() && !found.is_geometry()).cloned().collect(),
        filter: spec.filter.clone(),
        is_indexed,
        description: Description::default(),
    }))
}

/// Resolves a specification of a layer that is served.
///
/// # Errors
/// Those of the database; [`Error::Database`] with the kind [`Missing`](DatabaseErrorKind::Missing) if there is no such
/// table, and [`Unsuitable`](DatabaseErrorKind::Unsuitable) if it cannot be a layer.
pub(super) async fn resolve_served(
    connection: &mut PooledConnection,
    label: &str,
    spec: &TableSpec,
) -> Result<Relation> {
    let reason = match resolve(connection, label, spec).await? {
        Ok(relation) => return Ok(relation),
        Err(reason) => reason,
    };
    let is_missing = spec.table.as_ref().is_some_and(|table| reason == no_table(table));
    let kind = if is_missing { DatabaseErrorKind::Missing } else { DatabaseErrorKind::Unsuitable };
    Err(Error::database(connection.name(), kind, reason))
}

fn no_table(table: &str) -> UnsuitableReason {
    format!("there is no table or view `{table}`")
}

/// Finds the table of a name that is quoted as in SQL, and its object identifier.
async fn find(connection: &mut PooledConnection, text: &str) -> Result<Option<(TableName, u32)>> {
    let sql = "SELECT n.nspname::text, c.relname::text, c.oid FROM pg_class c JOIN pg_namespace n \
               ON n.oid = c.relnamespace \
               WHERE c.oid = to_regclass($1::text) AND c.relkind IN ('r', 'v', 'm', 'f', 'p')";
    let values = [Box::new(text.to_owned()) as _];
    let found = all(connection, sql, &values, |row| {
        Ok((TableName { schema: row.try_get(0)?, name: row.try_get(1)? }, row.try_get(2)?))
    });
    Ok(found.await?.into_iter().next())
}

/// The geometry column; `None` if the rows have no positions.
fn geometry_column<'c>(
    spec: &TableSpec,
    columns: &'c [CatalogColumn],
) -> Result<Option<&'c CatalogColumn>, UnsuitableReason> {
    if !spec.has_positions() {
        return Ok(None);
    }
    let geometries: Vec<&CatalogColumn> = columns.iter().filter(|column| column.is_geometry()).collect();
    let names = || geometries.iter().map(|column| column.name.as_str()).collect::<Vec<_>>().join(", ");
    match (&spec.geometry, &geometries[..]) {
        (_, []) => Err("no column is of the type geometry or geography; for matrices of rows without positions, set \
                        geometry to none"
            .into()),
        (None, [only]) => Ok(Some(*only)),
        (None, _) => Err(format!("there are several geometry columns; select one with geometry: {}", names())),
        (Some(name), _) => {
            let found = geometries.iter().find(|column| column.name == *name);
            found
                .copied()
                .map(Some)
                .ok_or_else(|| format!("there is no geometry column `{name}`; expected {}", names()))
        }
    }
}

async fn declared(
    connection: &mut PooledConnection,
    table: &TableName,
    column: &str,
) -> Result<Option<GeometryDeclaration>> {
    let sql = "SELECT postgis_typmod_type(a.atttypmod)::text, postgis_typmod_srid(a.atttypmod), \
               c.relkind IN ('v', 'f') OR EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid \
               JOIN pg_am m ON m.oid = x.relam WHERE i.indrelid = c.oid AND i.indkey[0] = a.attnum \
               AND m.amname IN ('gist', 'spgist', 'brin')), c.relkind = 'v' \
               FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
               WHERE n.nspname = $1::text AND c.relname = $2::text AND a.attname = $3::text";
    let values = [table.schema.clone(), table.name.clone(), column.to_owned()].map(|value| Box::new(value) as _);
    let found = all(connection, sql, &values, |row| {
        Ok(GeometryDeclaration {
            shape: row.try_get(0)?,
            srid: row.try_get(1)?,
            is_indexed: row.try_get(2)?,
            is_view: row.try_get(3)?,
        })
    });
    Ok(found.await?.into_iter().next())
}

/// The type and the reference system of the geometries.
async fn shape(
    connection: &mut PooledConnection,
    from: &str,
    spec: &TableSpec,
    column: &CatalogColumn,
    declared: Option<GeometryDeclaration>,
) -> Result<Result<Geometry, UnsuitableReason>> {
    let is_geography = column.type_name == "geography";
    let mut geometry = Geometry { name: column.name.clone(), is_geography, stored_srid: 0, srid: 0, is_mixed: false };
    let (shape, declared_srid) = declared.map_or((String::new(), 0), |declared| (declared.shape, declared.srid));
    let shape = shape.to_ascii_lowercase();
    let shape = shape.trim_end_matches(['z', 'm']);
    match shape {
        "point" => {}
        "multipoint" | "geometry" | "" => geometry.is_mixed = true,
        other => return Ok(Err(format!("its geometries are of the type {other}; expected points"))),
    }
    geometry.stored_srid = if is_geography && declared_srid <= 0 { WGS84 } else { declared_srid.max(0) };
    if shape.is_empty() || shape == "geometry" || geometry.stored_srid == 0 {
        match probe(connection, from, spec, column).await? {
            Ok(Some((srid, is_mixed))) => (geometry.stored_srid, geometry.is_mixed) = (srid, is_mixed),
            Ok(None) => {}
            Err(reason) => return Ok(Err(reason)),
        }
    }
    geometry.srid = match (geometry.stored_srid, spec.srid) {
        (0, Some(srid)) => srid,
        (0, None) => {
            let reason = "unknown coordinate reference system (SRID 0); set it with srid = … under [layers.NAME]";
            return Ok(Err(reason.into()));
        }
        (stored, Some(srid)) if stored != srid => {
            return Ok(Err(format!("the SRID of its geometries is {stored}, not {srid}")));
        }
        (stored, _) => stored,
    };
    Ok(Ok(geometry))
}

/// Samples some geometries for their reference system, and whether there may be others than single points.
async fn probe(
    connection: &mut PooledConnection,
    from: &str,
    spec: &TableSpec,
    column: &CatalogColumn,
) -> Result<Result<Option<(i32, bool)>, UnsuitableReason>> {
    let geometry = format!("k.{}", identifier(&column.name));
    let filter = spec.filter.as_ref().map(|filter| format!(" AND ({filter}\n)")).unwrap_or_default();
    let sql = format!(
        "SELECT ST_SRID(g), GeometryType(g), count(*) FROM (SELECT {geometry}::geometry AS g FROM {from} \
         WHERE {geometry} IS NOT NULL{filter} LIMIT 1000) AS s GROUP BY 1, 2 ORDER BY 3 DESC"
    );
    let found: Vec<(i32, String)> = all(connection, &sql, &[], |row| Ok((row.try_get(0)?, row.try_get(1)?))).await?;
    let Some((srid, _)) = found.first() else { return Ok(Ok(None)) };
    if let Some((other, _)) = found.iter().find(|(other, _)| other != srid) {
        return Ok(Err(format!(
            "its geometries have several coordinate reference systems, among them SRID {srid} and {other}"
        )));
    }
    let is_points = |kind: &str| kind.trim_end_matches(['Z', 'M']) == "POINT";
    let point_kinds = found.iter().filter(|(_, kind)| is_points(kind) || kind.starts_with("MULTIPOINT")).count();
    if point_kinds == 0 {
        return Ok(Err(format!("its geometries are of the type {}; expected points", found[0].1.to_lowercase())));
    }
    // Rows outside of the sample may have any type.
    Ok(Ok(Some((*srid, true))))
}
