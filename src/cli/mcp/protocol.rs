//! Messages of the protocol: JSON-RPC 2.0, one message a line.
//!
//! The revision 2026-07-28 has no handshake: each request names its revision. Earlier ones begin with `initialize`. Both are
//! spoken, and a request decides by itself which one applies to it.

use serde_json::{Map, Value, json};

/// The revision without a handshake.
const STATELESS: &str = "2026-07-28";

/// The revisions with a handshake, the latest first.
const WITH_HANDSHAKE: [&str; 4] = ["2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05"];

/// The member of `_meta` that names the revision of a request.
const REVISION: &str = "io.modelcontextprotocol/protocolVersion";

/// The member of `_meta` that describes the server.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// The time for which a client may keep the list of tools, which is part of the program.
const CACHE_MS: u64 = 3_600_000;

const INSTRUCTIONS: &str = "Heat maps of weighted points. `layers` lists the layers with their bounds; `render` returns a picture \
     with its bounds, unit and legend; `value` is the density at a position; `statistics` has counts, weights, times, categories \
     and percentiles. Longitudes come before latitudes, in degrees; bounds are west, south, east, north.";

/// The code and the message of an error, and its data.
#[derive(Debug)]
pub(super) struct RpcError {
    code: i32,
    message: String,
    data: Option<Value>,
}

impl RpcError {
    fn new(code: i32, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// A line that is not JSON.
    pub(super) fn parse(message: impl Into<String>) -> Self {
        Self::new(-32700, message)
    }

    /// JSON that is not a request.
    pub(super) fn invalid_request(message: impl Into<String>) -> Self {
        Self::new(-32600, message)
    }

    /// An unknown method.
    fn unknown_method(method: &str) -> Self {
        Self::new(-32601, format!("unknown method `{method}`; expected tools/list or tools/call"))
    }

    /// Invalid parameters of a method.
    pub(super) fn invalid_params(message: impl Into<String>) -> Self {
        Self::new(-32602, message)
    }

    /// A failure of the server.
    pub(super) fn internal(message: impl Into<String>) -> Self {
        Self::new(-32603, message)
    }

    fn unsupported_revision(requested: &Value) -> Self {
        let data = json!({ "supported": revisions(), "requested": requested });
        Self { data: Some(data), ..Self::new(-32022, "unsupported protocol version") }
    }
}

/// A message of a client.
#[derive(Debug)]
pub(super) enum Message {
    Request(Request),
    /// The request with this id is no longer needed.
    Cancelled(Value),
    /// A notification or a response that needs no reaction.
    Ignored,
}

/// A request.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: Value,
    pub(super) call: Call,
    /// Whether the request is of the revision without a handshake.
    is_stateless: bool,
}

/// What a request calls for.
#[derive(Debug)]
pub(super) enum Call {
    Initialize { revision: String },
    Discover,
    Ping,
    ListTools,
    RunTool { name: String, arguments: Map<String, Value> },
}

fn revisions() -> Vec<&'static str> {
    std::iter::once(STATELESS).chain(WITH_HANDSHAKE).collect()
}

impl Message {
    /// Reads a message.
    ///
    /// # Errors
    /// The response to a line that is no message, with the id of the request as far as it is known.
    pub(super) fn read(line: &[u8]) -> Result<Self, String> {
        let value = serde_json::from_slice(line);
        let value: Value = value
            .map_err(|error| error_line(&Value::Null, RpcError::parse(format!("the line is not JSON: {error}"))))?;
        let Value::Object(mut message) = value else {
            let detail = "the message is not a JSON object; batches are not supported: send one request a line";
            return Err(error_line(&Value::Null, RpcError::invalid_request(detail)));
        };
        let id = message.remove("id");
        let Some(method) = message.remove("method") else {
            // This server sends no requests, so that a response belongs to none.
            return match id {
                Some(id) if !message.contains_key("result") && !message.contains_key("error") => {
                    Err(error_line(&id, RpcError::invalid_request("the request has no method")))
                }
                _ => Ok(Self::Ignored),
            };
        };
        let params = message.remove("params").unwrap_or_default();
        match id {
            None if method == "notifications/cancelled" => Ok(Self::Cancelled(params["requestId"].clone())),
            None => Ok(Self::Ignored),
            Some(id) if !(id.is_string() || id.is_number()) => {
                let detail = "the id of the request is neither a text nor a number";
                Err(error_line(&Value::Null, RpcError::invalid_request(detail)))
            }
            Some(id) => Request::read(&id, &method, &params).map(Self::Request).map_err(|error| error_line(&id, error)),
        }
    }
}

impl Request {
    fn read(id: &Value, method: &Value, params: &Value) -> Result<Self, RpcError> {
        let Some(method) = method.as_str() else {
            return Err(RpcError::invalid_request("the method is not a text"));
        };
        let is_stateless = match params.get("_meta").and_then(|meta| meta.get(REVISION)) {
            Some(revision) if revision == STATELESS => true,
            Some(revision) if WITH_HANDSHAKE.iter().any(|known| revision == known) => false,
            Some(revision) => return Err(RpcError::unsupported_revision(revision)),
            None => false,
        };
        let call = match method {
            "initialize" => Call::Initialize { revision: text(params, "protocolVersion")? },
            "server/discover" => Call::Discover,
            "ping" => Call::Ping,
            "tools/list" => Call::ListTools,
            "tools/call" => {
                let arguments = match params.get("arguments") {
                    None | Some(Value::Null) => Map::new(),
                    Some(Value::Object(arguments)) => arguments.clone(),
                    Some(_) => return Err(RpcError::invalid_params("arguments: not a JSON object")),
                };
                Call::RunTool { name: text(params, "name")?, arguments }
            }
            other => return Err(RpcError::unknown_method(other)),
        };
        // The response to a probe is of the revision that it probes for.
        Ok(Self { id: id.clone(), is_stateless: is_stateless || matches!(call, Call::Discover), call })
    }

    /// The line of the response with a result, which is an object.
    pub(super) fn result_line(&self, mut result: Value) -> String {
        if self.is_stateless {
            result["resultType"] = "complete".into();
            result["_meta"] = json!({ SERVER_INFO: server_info() });
            if matches!(self.call, Call::ListTools | Call::Discover) {
                result["ttlMs"] = CACHE_MS.into();
                result["cacheScope"] = "private".into();
            }
        }
        json!({ "jsonrpc": "2.0", "id": self.id, "result": result }).to_string()
    }

    /// The line of the response with an error.
    pub(super) fn error_line(&self, error: RpcError) -> String {
        error_line(&self.id, error)
    }
}

/// The line of a response with an error.
pub(super) fn error_line(id: &Value, RpcError { code, message, data }: RpcError) -> String {
    let mut error = json!({ "code": code, "message": message });
    if let Some(data) = data {
        error["data"] = data;
    }
    json!({ "jsonrpc": "2.0", "id": id, "error": error }).to_string()
}

fn text(params: &Value, name: &str) -> Result<String, RpcError> {
    let text = params.get(name).and_then(Value::as_str);
    text.map(str::to_owned).ok_or_else(|| RpcError::invalid_params(format!("{name}: missing, or not a text")))
}

fn server_info() -> Value {
    json!({ "name": "kiln", "title": "Kiln", "version": env!("CARGO_PKG_VERSION") })
}

/// The result of `initialize`. A revision that is unknown, or has no handshake, is answered by the latest one that has.
pub(super) fn initialize(revision: &str) -> Value {
    let known = WITH_HANDSHAKE.into_iter().find(|known| *known == revision).unwrap_or(WITH_HANDSHAKE[0]);
    json!({
        "protocolVersion": known,
        "capabilities": { "tools": {} },
        "serverInfo": server_info(),
        "instructions": INSTRUCTIONS,
    })
}

/// The result of `server/discover`.
pub(super) fn discover() -> Value {
    json!({ "supportedVersions": revisions(), "capabilities": { "tools": {} }, "instructions": INSTRUCTIONS })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;

    fn request(text: &str) -> Request {
        match Message::read(text.as_bytes()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{text}: {other:?}"),
        }
    }

    fn json_of(line: &str) -> Value {
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn a_known_revision_is_confirmed_and_another_is_answered_by_the_latest_with_a_handshake() {
        for revision in WITH_HANDSHAKE {
            assert_eq!(initialize(revision)["protocolVersion"], revision);
        }
        for revision in [STATELESS, "1999-01-01", ""] {
            assert_eq!(initialize(revision)["protocolVersion"], "2025-11-25");
        }
    }

    #[test]
    fn results_have_the_members_of_the_revision_that_the_request_names() {
        let list = request(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
        assert_eq!(json_of(&list.result_line(json!({})))["result"], json!({}));
        let meta = format!(r#"{{"_meta":{{"{REVISION}":"{STATELESS}"}}}}"#);
        let list = request(&format!(r#"{{"jsonrpc":"2.0","id":"a","method":"tools/list","params":{meta}}}"#));
        let response = json_of(&list.result_line(json!({})));
        assert_eq!((&response["id"], &response["result"]["resultType"]), (&json!("a"), &json!("complete")));
        assert_eq!(response["result"]["_meta"][SERVER_INFO]["name"], "kiln");
        assert_eq!(response["result"]["ttlMs"], CACHE_MS);
        let discover_request = request(r#"{"id":1,"method":"server/discover"}"#);
        assert_eq!(json_of(&discover_request.result_line(discover()))["result"]["resultType"], "complete");
    }

    #[test]
    fn an_unknown_revision_of_a_request_is_an_error_with_the_known_ones() {
        let line = format!(r#"{{"id":7,"method":"tools/list","params":{{"_meta":{{"{REVISION}":"2099-01-01"}}}}}}"#);
        let error = json_of(&Message::read(line.as_bytes()).unwrap_err());
        assert_eq!((&error["id"], &error["error"]["code"]), (&json!(7), &json!(-32022)));
        assert_eq!(error["error"]["data"]["supported"][0], STATELESS);
        assert_eq!(error["error"]["data"]["requested"], "2099-01-01");
    }

    #[test]
    fn lines_that_are_no_request_have_an_error_with_their_id() {
        for (line, id, code) in [
            ("{", Value::Null, -32700),
            ("\u{feff}\u{1}", Value::Null, -32700),
            ("[]", Value::Null, -32600),
            (r#"[{"id":1,"method":"ping"}]"#, Value::Null, -32600),
            ("3", Value::Null, -32600),
            (r#"{"id":null,"method":"ping"}"#, Value::Null, -32600),
            (r#"{"id":[],"method":"ping"}"#, Value::Null, -32600),
            (r#"{"id":1}"#, json!(1), -32600),
            (r#"{"id":1,"method":2}"#, json!(1), -32600),
            (r#"{"id":"x","method":"resources/list"}"#, json!("x"), -32601),
            (r#"{"id":1,"method":"initialize"}"#, json!(1), -32602),
            (r#"{"id":1,"method":"tools/call","params":[]}"#, json!(1), -32602),
            (r#"{"id":1,"method":"tools/call","params":{"name":"layers","arguments":[1]}}"#, json!(1), -32602),
        ] {
            let error = json_of(&Message::read(line.as_bytes()).unwrap_err());
            assert_eq!((&error["id"], &error["error"]["code"]), (&id, &json!(code)), "{line}");
        }
        for line in [r#"{"method":"notifications/initialized"}"#, r#"{"id":1,"result":{}}"#, "{}"] {
            assert!(matches!(Message::read(line.as_bytes()), Ok(Message::Ignored)), "{line}");
        }
        let cancelled = Message::read(br#"{"method":"notifications/cancelled","params":{"requestId":3}}"#);
        assert!(matches!(cancelled, Ok(Message::Cancelled(id)) if id == 3));
    }
}
