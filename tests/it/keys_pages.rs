//! Keys and the pages: what a page loads without a key, and what it learns about the key of its visitor.

use serde_json::{Value, json};

use crate::keys::{SECRET_A, hash_of_a};
use crate::server::Server;

const A: (&str, &str) = ("authorization", SECRET_A.1);
const OWNER: (&str, &str) = ("authorization", "Bearer s3cret");

fn serve(rest: &str) -> Server {
    let home = tempfile::tempdir().unwrap();
    let config = format!(
        "[server]\ntoken = \"s3cret\"\n{rest}\n[layers.trips]\ninput = \"points.csv\"\n[layers.hidden]\ninput = \"points.csv\"\n\
         [keys.tenant-a]\nhash = \"{}\"\nlayers = [\"trips\"]\nrights = [\"read\", \"sign\"]\nexpires = \"2124-05-01\"\n\
         [keys.old]\nhash = \"sha256:{:064}\"\nexpires = \"2024-05-01\"\n",
        hash_of_a(),
        0
    );
    std::fs::write(home.path().join("kiln.toml"), config).unwrap();
    std::fs::write(home.path().join("points.csv"), "lon,lat\n10,50\n").unwrap();
    Server::at(home, &[])
}

fn access(server: &Server, path: &str, headers: &[(&str, &str)]) -> Value {
    server.send("GET", path, headers, b"").ok(200).json()["access"].clone()
}

#[test]
fn pages_of_layers_need_no_key_and_do_not_reveal_which_layers_exist() {
    let server = serve("");
    for (known, unknown) in [("/matrix/trips", "/matrix/nowhere"), ("/trips/surface", "/nowhere/surface")] {
        let [known, unknown] = [known, unknown].map(|path| server.send("GET", path, &[], b"").ok(200));
        assert!(known.body == unknown.body && known.header("content-type").unwrap().starts_with("text/html"));
        assert!(!String::from_utf8_lossy(&known.body).contains("trips"));
    }
    for path in ["/trips/matrix?x=hour", "/trips/grid?resolution=1km", "/catalog"] {
        server.send("GET", path, &[], b"").rejected(401, &["key"]);
    }
}

#[test]
fn the_catalog_describes_the_key_of_the_request() {
    let server = serve("signing_secret = \"sign-me-sign-me-sign-me\"");
    let signer = json!({"key": "tenant-a", "layers": ["trips"]});
    let rights = json!(["read", "sign"]);
    // 2124-05-01
    let own = json!({"key": "tenant-a", "rights": rights, "origins": [], "expires_at": 4_870_195_200_u64, "signers": [signer]});
    assert_eq!(access(&server, "/catalog", &[A]), own);
    // The owner can sign for every key that is valid.
    let owner = json!({"key": null, "rights": [], "origins": [], "expires_at": null, "signers": [signer]});
    assert_eq!(access(&server, "/catalog", &[OWNER]), owner);
    // The holder of a signed URL learns nothing about the key.
    let body = json!({"prefix": "/catalog", "expires_in": "1h"}).to_string();
    let reply = server.send("POST", "/sign", &[A], body.as_bytes()).ok(200).json();
    assert_eq!(access(&server, &format!("/catalog?{}", reply["query"].as_str().unwrap()), &[]), Value::Null);
}

#[test]
fn a_server_without_a_signing_secret_offers_no_signed_urls() {
    let server = serve("");
    for who in [A, OWNER] {
        assert_eq!(access(&server, "/catalog", &[who])["signers"], json!([]));
    }
}
