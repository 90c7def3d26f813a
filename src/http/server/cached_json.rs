//! JSON responses that are computed on the render pool and cached.

use std::sync::atomic::AtomicBool;

use axum::body::{Body, Bytes};
use axum::http::{Response, header};
use axum::response::IntoResponse;
use serde::Serialize;

use super::App;
use super::price::Price;
use super::problem::HttpResult;
use crate::error::{Error, Result};

impl App {
    /// The JSON of a reply about a layer: that of the cache, or of `compute` on the render pool. `key` contains everything
    /// that determines the reply, such as the version of the layer; `price` is that of `compute`.
    pub(crate) async fn cached_json<T: Serialize>(
        &self,
        layer: &str,
        key: &str,
        price: Price,
        compute: impl FnOnce(&AtomicBool) -> Result<T> + Send + 'static,
    ) -> HttpResult<Response<Body>> {
        let (layer, found) = (layer.to_owned(), self.catalog.find(layer).ok().flatten());
        let make = || {
            self.run_for(found, price, move |stop| {
                let text = serde_json::to_vec(&compute(stop)?);
                text.map(Bytes::from).map_err(|error| Error::input(&layer, error.to_string()))
            })
        };
        let (text, was_cached) = self.bytes.get_or_make(key, make).await?;
        self.metrics.cache(was_cached);
        let cache_control = self.config.server.cache_control.clone();
        let headers = [(header::CONTENT_TYPE, "application/json".to_owned()), (header::CACHE_CONTROL, cache_control)];
        Ok((headers, text).into_response())
    }
}
