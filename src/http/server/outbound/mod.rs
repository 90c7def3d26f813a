//! Requests that the server sends: to URLs of a configured list, at public addresses, without redirects.

mod allowed_urls;
mod client;
mod public_address;

pub(crate) use allowed_urls::AllowedUrls;
pub(crate) use client::OutboundClient;
