//! The server whose layers the tools read.

use axum::body::Bytes;
use axum::http::StatusCode;
use serde_json::Value;

use super::client::Client;
use crate::error::Result;
use crate::http::LocalServer;

/// The server whose layers the tools read.
pub(super) enum Backend {
    /// In this process.
    Local(LocalServer),
    /// At a URL.
    Remote(Client),
}

impl Backend {
    /// Returns the body of the response to a GET request. `target` is a path with an optional query string.
    ///
    /// # Errors
    /// The detail of a problem, or why there is no response, as one sentence.
    pub(super) async fn get(&self, target: &str) -> std::result::Result<Bytes, String> {
        let response: Result<(StatusCode, Bytes)> = match self {
            Self::Local(server) => server.get(target).await,
            Self::Remote(client) => client.get(target).await,
        };
        let (status, body) = response.map_err(|error| error.to_string())?;
        if status.is_success() { Ok(body) } else { Err(describe(status, &body)) }
    }

    /// Returns the JSON of the response to a GET request.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) async fn json(&self, target: &str) -> std::result::Result<Value, String> {
        let body = self.get(target).await?;
        serde_json::from_slice(&body).map_err(|_| "the response is not JSON; expected a server of Kiln".to_owned())
    }
}

/// The detail of a problem.
fn describe(status: StatusCode, body: &[u8]) -> String {
    let problem: Option<Value> = serde_json::from_slice(body).ok();
    let detail = problem.as_ref().and_then(|problem| problem["detail"].as_str());
    // The names of tools in place of routes.
    let tools =
        |detail: &str| detail.replace("GET /catalog", "/catalog").replace("/catalog lists", "the tool `layers` lists");
    let detail = detail.map(tools);
    detail.unwrap_or_else(|| format!("the response has the status {status}; expected a server of Kiln"))
}
