//! Keys that share the caches of a server: what one has requested changes no response to another.

use serde_json::Value;

use crate::keys::{SECRET_A, SECRET_B, hash_of_a, hash_of_b};
use crate::keys_views::{comparable, config, rows, send, serve};
use crate::min_count::{Sample, crowd, lonely, samples};
use crate::server::{Reply, Server};

const OWNER: (&str, &str) = ("authorization", "Bearer 0wner-of-all");
const A: (&str, &str) = ("authorization", SECRET_A.1);
const B: (&str, &str) = ("authorization", SECRET_B.1);

/// A server of all points with a key for each of two filters, and the token of its owner.
fn shared(filter_a: &str, filter_b: &str) -> Server {
    let key = |name: &str, hash: &str, filter: &str| {
        format!("[keys.{name}]\nhash = \"{hash}\"\nrights = [\"read\", \"queries\"]\nfilter = {{ {filter} }}\n")
    };
    let keys = key("a", hash_of_a(), filter_a) + &key("b", hash_of_b(), filter_b);
    serve(&(crowd() + &lonely()), &config("", &format!("[server]\ntoken = \"0wner-of-all\"\n{keys}")))
}

/// The text of a response: its headers and its body.
fn text(reply: &Reply) -> String {
    format!("{:?}\n{}", reply.headers, String::from_utf8_lossy(&reply.body))
}

/// Compares each response to a key, after the same requests of the owner and of another key, with that of a server that has
/// the points of the key alone, `seen`, and `own` in the section of each layer. `every`: of that many samples, one is sent.
fn compare(filter: &str, filter_of_other: &str, seen: &str, own: &str, every: usize) {
    let shared = shared(filter, filter_of_other);
    let alone = serve(seen, &config(own, ""));
    let (mut compared, mut tagged) = (0, 0);
    for sample in samples().into_values().flatten().step_by(every) {
        let others = [OWNER, B].map(|key| send(&shared, &sample, &[key]));
        let (seen, expected) = (send(&shared, &sample, &[A]), send(&alone, &sample, &[]));
        let Sample(method, path, body) = &sample;
        let [of_a, of_alone] = [comparable(&shared, &seen), comparable(&alone, &expected)];
        assert!(of_a == of_alone, "{method} {path} {body}:\n{}\n{}", text(&seen), text(&expected));
        compared += usize::from(seen.status < 300);
        // The tag of another's response says nothing to a key that sees something else.
        for (key, other) in [OWNER, B].into_iter().zip(&others) {
            let Some(tag) = other.header("etag") else { continue };
            let again = send(&shared, &sample, &[A, ("if-none-match", tag)]);
            let is_same = Some(tag) == seen.header("etag");
            assert!((again.status == 304) == is_same, "{method} {path} with the tag of {key:?}: {}", text(&again));
            assert!(!is_same || other.body == seen.body, "{method} {path} has the tag of {key:?}");
            tagged += 1;
        }
    }
    assert!(compared > 300 / every && tagged > 300 / every, "{compared} {tagged}");
}

#[test]
fn what_others_have_requested_before_changes_no_response_to_a_key() {
    let bus = rows(|fields| fields[4] == "bus");
    compare("category = [\"bus\"]", "category = [\"secret\", \"tram\"]", &bus, "", 3);
}

#[test]
fn a_key_with_a_minimum_count_gets_nothing_that_a_key_without_one_has_left_in_the_caches() {
    let bus = rows(|fields| fields[4] == "bus");
    compare("category = [\"bus\"], min_count = 5", "category = [\"bus\"]", &bus, "min_count = 5\n", 5);
}

#[test]
fn keys_with_the_same_filter_share_pictures_and_no_secret() {
    let filter = "category = [\"bus\"]";
    let shared = shared(filter, filter);
    let with_key = |path: &str, (secret, _): (&str, &str)| {
        format!("{path}{}key={secret}", if path.contains('?') { '&' } else { '?' })
    };
    let mut carried = 0;
    for sample in samples().into_values().flatten() {
        let replies = [SECRET_A, SECRET_B].map(|key| {
            let Sample(method, path, body) = &sample;
            send(&shared, &Sample(method, with_key(path, key), body.clone()), &[])
        });
        let Sample(method, path, _) = &sample;
        let [of_a, of_b] = replies.each_ref().map(text);
        assert!(!of_a.contains(SECRET_B.0) && !of_b.contains(SECRET_A.0), "{method} {path}: {of_b}");
        carried += usize::from(of_b.contains(SECRET_B.0));
    }
    // Otherwise the test compares nothing.
    assert!(carried > 30, "{carried}");
}

#[test]
fn queries_and_names_of_one_key_do_not_exist_for_another() {
    let server = shared("category = [\"bus\"]", "category = [\"tram\"]");
    let query = Sample("POST", "/queries".to_owned(), serde_json::json!({"layer": "files"}));
    let made = send(&server, &query, &[A]).ok(201).json();
    let id = made["id"].as_str().unwrap();
    let absent = id.chars().rev().collect::<String>();
    let without_name = |reply: Reply, name: &str| {
        let mut body: Value = reply.json();
        body.as_object_mut().unwrap().remove("request_id");
        (reply.status, body.to_string().replace(name, "NAME"))
    };
    for rest in ["", "/0/0/0.png", "/points", "/statistics", "/legend.json", "/grid?resolution=1km", "/matrix?x=date"] {
        let get = |name: &str, key| server.send("GET", &format!("/{name}{rest}"), &[key], b"");
        assert!(get(id, A).status < 300, "{rest}");
        let [other, none] = [id, &absent].map(|name| without_name(get(name, B), name));
        assert!(other == none && other.0 == 404, "{rest}: {other:?} {none:?}");
    }
}
