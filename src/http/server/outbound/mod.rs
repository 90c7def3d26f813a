//! Requests that the server sends: to URLs of a configured list, at public addresses, without redirects.

mod allowed_urls;
mod client;

pub(crate) use allowed_urls::{AllowedUrls, origin};
pub(crate) use client::OutboundClient;
