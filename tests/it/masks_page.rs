//! The page of a mask.

use std::collections::BTreeSet;

use crate::masks_http::{create, npy};
use crate::server::Server;

#[test]
fn the_page_of_a_mask_and_its_files_are_served_and_any_site_may_embed_it() {
    let server = Server::start();
    let mask = create(&server, "", &npy(2, 2, &[0.0, 1.0, 2.0, 3.0]));
    let page = mask["urls"]["page"].as_str().unwrap();
    assert_eq!(page, format!("/masks/{}/page", mask["id"].as_str().unwrap()));
    assert_eq!((&mask["minimum"], &mask["maximum"]), (&0.0.into(), &3.0.into()));
    let reply = server.get(page).ok(200);
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(reply.header("cache-control"), Some("no-cache"));
    assert_eq!(reply.header("x-frame-options"), None);
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.ends_with("frame-ancestors *"), "{policy}");
    let html = String::from_utf8(reply.body).unwrap();
    let links = html.split(['"', '\'']).filter_map(|link| link.strip_prefix("../.."));
    let links: BTreeSet<&str> = links.filter(|link| link.starts_with("/assets/")).collect();
    assert!(links.len() >= 3, "{links:?}");
    for link in links {
        server.get(link).ok(200);
    }
    // The map page is for its own site.
    assert!(server.get("/").header("content-security-policy").unwrap().ends_with("frame-ancestors 'self'"));
}

#[test]
fn the_page_of_a_mask_that_does_not_exist_is_a_404_that_people_can_read() {
    let server = Server::start();
    for id in ["67e5504410b1426f9247bb680e5fe0c8", "nothing"] {
        let reply = server.get(&format!("/masks/{id}/page")).ok(404);
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
        assert!(reply.header("content-security-policy").unwrap().ends_with("frame-ancestors *"));
    }
}

#[test]
fn the_catalog_lists_the_colormaps_that_a_mask_can_have() {
    let server = Server::start();
    let catalog = server.get("/catalog").ok(200).json();
    let colormaps = catalog["colormaps"].as_array().unwrap();
    assert_eq!((&colormaps[2], colormaps.len()), (&"jet".into(), 22));
    let mask = create(&server, "", &npy(2, 2, &[0.0, 1.0, 2.0, 3.0]));
    for (number, name) in colormaps.iter().enumerate() {
        let legend = |colormap: &str| {
            let path = format!("{}?colormap={colormap}", mask["urls"]["legend_json"].as_str().unwrap());
            server.get(&path).ok(200).json()
        };
        assert_eq!(legend(name.as_str().unwrap()), legend(&number.to_string()));
    }
}
