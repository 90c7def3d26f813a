//! A session: requests of a client, each in a task of its own, until the end of the input.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{Semaphore, oneshot};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::backend::Backend;
use super::lines::{self, Line};
use super::protocol::{Call, Message, Request, RpcError, discover, error_line, initialize};
use super::tools;
use crate::error::{Error, Result};

/// The maximum number of requests in progress; further lines are not read.
const MAX_REQUESTS: usize = 64;

/// The number of tools that run at a time. The server at a URL, or the thread pool of this process, has a limit of its own.
const MAX_TOOLS: usize = 4;

/// The requests in progress: the id of each, and a handle that cancels it.
#[derive(Default)]
struct InProgress(HashMap<Id, (Value, AbortHandle)>);

impl InProgress {
    fn cancel(&self, id: &Value) {
        self.0.values().filter(|(known, _)| known == id).for_each(|(_, task)| task.abort());
    }

    /// Removes a request that has ended, and returns the response to one that has panicked.
    fn end(&mut self, ended: std::result::Result<(Id, ()), JoinError>) -> Option<String> {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, ())| *id);
        let (id, _) = self.0.remove(&id)?;
        let has_panicked = ended.is_err_and(|error| error.is_panic());
        has_panicked.then(|| error_line(&id, RpcError::internal("the tool failed; standard error has the cause")))
    }
}

/// Answers the requests of `lines`, and returns once the input has ended and all of them are answered.
///
/// # Errors
/// If standard output cannot be written. A closed one ends the session without an error.
pub(super) async fn serve(backend: Arc<Backend>, mut lines: Receiver<Line>) -> Result<()> {
    let (responses, mut written) = write_responses()?;
    let tools = Arc::new(Semaphore::new(MAX_TOOLS));
    let (mut tasks, mut in_progress) = (JoinSet::new(), InProgress::default());
    loop {
        let line = tokio::select! {
            biased;
            result = &mut written => return result.unwrap_or(Ok(())),
            Some(ended) = tasks.join_next_with_id() => {
                if let Some(response) = in_progress.end(ended) {
                    let _ = responses.send(response).await;
                }
                continue;
            }
            line = lines.recv(), if tasks.len() < MAX_REQUESTS => line,
        };
        let message = match line {
            None => break,
            Some(Line::Text(line)) => Message::read(&line),
            Some(Line::TooLong) => {
                let detail = format!("the line exceeds {} bytes", lines::MAX_BYTES);
                Err(error_line(&Value::Null, RpcError::invalid_request(detail)))
            }
        };
        match message {
            Ok(Message::Request(request)) => {
                let (backend, tools, responses) = (Arc::clone(&backend), Arc::clone(&tools), responses.clone());
                let id = request.id.clone();
                let task = tasks.spawn(async move {
                    // Never closed.
                    let _permit = tools.acquire().await;
                    // An error means that the output is closed, which ends the session.
                    let _ = responses.send(respond(&backend, &request).await).await;
                });
                in_progress.0.insert(task.id(), (id, task));
            }
            Ok(Message::Cancelled(id)) => in_progress.cancel(&id),
            Ok(Message::Ignored) => {}
            // An error as above.
            Err(response) => drop(responses.send(response).await),
        }
    }
    while let Some(ended) = tasks.join_next_with_id().await {
        if let Some(response) = in_progress.end(ended) {
            let _ = responses.send(response).await;
        }
    }
    drop(responses);
    written.await.unwrap_or(Ok(()))
}

/// The line of the response to a request.
async fn respond(backend: &Backend, request: &Request) -> String {
    let result = match &request.call {
        Call::Initialize { revision } => Ok(initialize(revision)),
        Call::Discover => Ok(discover()),
        Call::Ping => Ok(json!({})),
        Call::ListTools => Ok(json!({ "tools": tools::list() })),
        Call::RunTool { name, arguments } => tools::call(backend, name, arguments).await,
    };
    match result {
        Ok(result) => request.result_line(result),
        Err(error) => request.error_line(error),
    }
}

/// Writes responses to standard output on a thread of its own. The receiver has the result once it has ended.
fn write_responses() -> Result<(Sender<String>, oneshot::Receiver<Result<()>>)> {
    let (sender, mut responses) = channel::<String>(MAX_REQUESTS);
    let (end, ended) = oneshot::channel();
    let write = move || {
        let mut written = Ok(());
        while let Some(mut line) = responses.blocking_recv() {
            line.push('\n');
            let mut out = std::io::stdout().lock();
            written = out.write_all(line.as_bytes()).and_then(|()| out.flush());
            if written.is_err() {
                break;
            }
        }
        let _ = end.send(written.map_err(|error| Error::io("-", "write", error)));
    };
    let thread = std::thread::Builder::new().name("stdout".into()).spawn(write);
    thread.map(|_| (sender, ended)).map_err(|error| Error::io("a thread", "start", error))
}
