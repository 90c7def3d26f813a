//! Connections: taken while there is room, given up on when they are too slow, and let finish at the end.

use std::future::Future;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::write_timeout::WriteTimeoutStream;
use crate::http::server::App;

/// How long a client may take to send the head of a request, or to send the next one.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);

/// Answers connections until `shutdown`, and then those requests that have begun.
pub(crate) async fn serve(app: Arc<App>, router: Router, listener: TcpListener, shutdown: impl Future<Output = ()>) {
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(app.config.server.max_connections));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    tokio::pin!(shutdown);
    loop {
        // Beyond the limit, connections wait in the system's own queue.
        let place = tokio::select! {
            place = Arc::clone(&room).acquire_owned() => place,
            () = &mut shutdown => break,
        };
        let Ok(place) = place else { break };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut shutdown => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                if !matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset) {
                    // Out of files, as a rule: it gets better when some connections have ended.
                    tracing::error!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                continue;
            }
        };
        // Answers are written in one piece; waiting for more would only delay them.
        let _ = stream.set_nodelay(true);
        let stream = WriteTimeoutStream::new(stream, app.config.server.timeout.duration());
        let service = TowerToHyperService::new(router.clone());
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        let app = Arc::clone(&app);
        tokio::spawn(async move {
            app.metrics.connections.inc();
            // Whatever ends a connection early is the client's doing, and its own concern.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            app.metrics.connections.dec();
            drop(place);
        });
    }
    drop(listener);
    tracing::info!("stopping: requests that have begun are answered");
    if tokio::time::timeout(app.config.server.timeout.duration(), graceful.shutdown()).await.is_err() {
        tracing::warn!("stopped before all requests were answered");
    }
}
