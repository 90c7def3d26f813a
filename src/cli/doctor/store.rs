//! Checks of the store.

use super::finding::Finding;
use super::folders::writable;
use crate::bucket;
use crate::cli::summary::{grouped, plural};
use crate::config::Config;
use crate::error::Result;
use crate::store::{Store, published_layers};

const CHECK: &str = "store";
const REMEDY_OF_FOLDER: &str =
    "set store.folder, or KILN_STORE, to a folder that this user may write to, or store.read_only";
const REMEDY_OF_DAMAGE: &str = "restore the files that `kiln layer NAME` prints, or import the layer again";

/// Checks the folder and all layers; with `verify`, also the checksums of all points.
pub(super) fn check(config: &Config, verify: bool) -> Vec<Finding> {
    let folder = config.store.local_folder();
    let mut findings = Vec::new();
    if let Some(url) = config.store.bucket() {
        findings.push(bucket_of(url));
        findings.push(writable("cache", folder, "set store.cache to a folder that this user may write to"));
    } else if !config.store.read_only {
        findings.push(writable(CHECK, folder, REMEDY_OF_FOLDER));
    }
    match Store::open(folder).and_then(|store| layers(&store, verify)) {
        Ok(found) => findings.extend(found),
        Err(error) => findings.push(Finding::of_error(CHECK, &error, REMEDY_OF_FOLDER)),
    }
    findings
}

/// Whether the bucket can be read, and the number of its layers.
fn bucket_of(url: &str) -> Finding {
    let remedy =
        "correct the URL, the credentials of the environment or AWS_ENDPOINT_URL; docs/inputs.md lists the variables";
    match bucket::open(url).and_then(|bucket| published_layers(&*bucket)) {
        Ok(names) => Finding::ok(CHECK, format!("{url}, {}", plural(names.len() as u64, "layer"))),
        Err(error) => Finding::of_error(CHECK, &error, remedy),
    }
}

/// A finding for each damaged layer, and one for the others.
fn layers(store: &Store, verify: bool) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let (mut intact, mut points) = (0, 0);
    for name in store.names()? {
        let layer = match store.layer(&name) {
            Ok(Some(layer)) => layer,
            Ok(None) => continue,
            Err(error) => {
                findings.push(Finding::of_error("layers", &error, REMEDY_OF_DAMAGE));
                continue;
            }
        };
        if verify {
            layer.verify();
        }
        let snapshot = layer.snapshot();
        points = u64::saturating_add(points, snapshot.points());
        match snapshot.damaged() {
            [] => intact += 1,
            [first, ..] => {
                let segments = plural(snapshot.damaged().len() as u64, "damaged segment");
                findings.push(Finding::error(
                    "layers",
                    format!("{name}: {segments}: {}", first.reason),
                    REMEDY_OF_DAMAGE,
                ));
            }
        }
    }
    let how = if verify { ", all checksums match" } else { "" };
    findings.insert(
        0,
        Finding::ok("layers", format!("{}, {} points{how}", plural(intact, "intact layer"), grouped(points))),
    );
    Ok(findings)
}
