//! Files of web servers.

use std::ops::Range;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use http::header::{
    ACCEPT_RANGES, AUTHORIZATION, CONTENT_LENGTH, CONTENT_RANGE, ETAG, IF_MATCH, IF_NONE_MATCH, IF_UNMODIFIED_SINCE,
    LAST_MODIFIED, RANGE, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use object_store::client::{HttpErrorKind, HttpRequestBody, HttpResponse, HttpService};
use percent_encoding::percent_decode_str;
use tokio::time::{Instant, sleep};

use crate::address::AddressRule;
use crate::classify::{changed, find_failure, kind_of};
use crate::error::{ObjectError, ObjectErrorKind, Result};
use crate::object_info::{ObjectInfo, Revision};
use crate::objects::too_large;
use crate::reader::BodyStream;
use crate::settings::Settings;
use crate::transport::Transport;
use crate::url::ObjectUrl;

/// The client of a file of a web server.
#[derive(Debug)]
pub(crate) struct Web {
    at: ObjectUrl,
    uri: Uri,
    authorization: Option<HeaderValue>,
    transport: Transport,
    attempts: usize,
    /// The time after which a request is not sent again.
    retry_timeout: Duration,
}

impl Web {
    /// A client of the web address `url`.
    ///
    /// # Errors
    /// [`ObjectErrorKind::Invalid`] if the address is not encrypted and not of this machine.
    pub(crate) fn new(url: &ObjectUrl, settings: &Settings) -> Result<Self> {
        let invalid = |message: &str| ObjectError::new(url, ObjectErrorKind::Invalid, message);
        let mut web = url.web().ok_or_else(|| invalid("not the URL of a web server"))?.clone();
        let is_local = match web.host() {
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if web.scheme() == "http" && !is_local && !settings.environment.is_set("ALLOW_HTTP") {
            return Err(invalid("http:// is not encrypted; use https://, or set ALLOW_HTTP=true"));
        }
        let authorization =
            basic_authorization(&web).map_err(|()| invalid("the user or password of the URL is invalid"))?;
        // A URL with a host accepts both.
        let _ = (web.set_username(""), web.set_password(None));
        let uri = web.as_str().parse().map_err(|_| invalid("the URL is invalid or too long"))?;
        let rule = if settings.private_addresses { AddressRule::NoMetadata } else { AddressRule::Public };
        let response_timeout = settings.response_timeout(url.scheme());
        Ok(Self {
            at: url.clone(),
            uri,
            authorization,
            transport: Transport::for_web(rule, settings.connect_timeout, response_timeout),
            attempts: settings.attempts(),
            retry_timeout: 2 * response_timeout,
        })
    }

    /// The size and revision of the file.
    ///
    /// It is read by a request of one byte: signed URLs permit GET only, and the response states whether there are ranges.
    pub(crate) async fn head(&self) -> Result<ObjectInfo> {
        let response = self.send(&[(RANGE, "bytes=0-0".to_owned())]).await?;
        match response.status() {
            StatusCode::PARTIAL_CONTENT => {
                let size = content_range(response.headers()).map(|(_, size)| size);
                Ok(ObjectInfo { size, has_ranges: size.is_some(), ..info(response.headers()) })
            }
            // An empty file has no range.
            StatusCode::RANGE_NOT_SATISFIABLE => Ok(ObjectInfo { size: Some(0), ..info(response.headers()) }),
            _ => Ok(ObjectInfo { has_ranges: false, ..info(self.check(response)?.headers()) }),
        }
    }

    /// Reads a range, with `of` only of this state of the file.
    pub(crate) async fn range(&self, range: Range<u64>, of: Option<&ObjectInfo>) -> Result<Bytes> {
        let mut headers = vec![(RANGE, format!("bytes={}-{}", range.start, range.end - 1))];
        headers.extend(of.and_then(|of| condition(&of.revision)));
        let (response, bytes) = self.send_and_read(&headers, Some(&range)).await?;
        let found = info(&response);
        let is_same = |of: &ObjectInfo| of.revision == found.revision;
        if of.is_some_and(|of| !is_same(of)) { Err(changed(&self.at)) } else { Ok(bytes) }
    }

    /// Opens the file for reading from its start.
    pub(crate) async fn stream(&self) -> Result<(ObjectInfo, BodyStream)> {
        let response = self.check(self.send(&[]).await?)?;
        let info = info(response.headers());
        let at = self.at.clone();
        let body = response.into_body().bytes_stream().map_err(move |error| failed(&at, &error));
        Ok((info, body.boxed()))
    }

    /// Reads the whole file, unless it has the revision `known`.
    pub(crate) async fn get(&self, known: Option<&Revision>, max_bytes: u64) -> Result<Option<(Bytes, Revision)>> {
        let etag = known.and_then(Revision::etag);
        let headers: Vec<_> = etag.map(|etag| (IF_NONE_MATCH, etag.to_owned())).into_iter().collect();
        let response = self.send(&headers).await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let response = self.check(response)?;
        let revision = info(response.headers()).revision;
        let is_known = |known: &Revision| *known == revision && *known != Revision::default();
        if known.is_some_and(is_known) {
            return Ok(None);
        }
        let (mut body, mut bytes) = (response.into_body().bytes_stream(), Vec::new());
        while let Some(part) = body.next().await {
            bytes.extend_from_slice(&part.map_err(|error| failed(&self.at, &error))?);
            if bytes.len() as u64 > max_bytes {
                return Err(too_large(&self.at, max_bytes));
            }
        }
        Ok(Some((bytes.into(), revision)))
    }

    /// Sends a request until its response is complete.
    async fn send_and_read(
        &self,
        headers: &[(HeaderName, String)],
        range: Option<&Range<u64>>,
    ) -> Result<(HeaderMap, Bytes)> {
        let mut attempt = 1;
        loop {
            let (parts, body) = self.check(self.send(headers).await?)?.into_parts();
            if let Some(range) = range {
                let found = content_range(&parts.headers).map(|(found, _)| found);
                if parts.status != StatusCode::PARTIAL_CONTENT || found.as_ref() != Some(range) {
                    let message = "the server sends no ranges of the file";
                    return Err(ObjectError::new(&self.at, ObjectErrorKind::Invalid, message));
                }
            }
            match body.bytes().await {
                Ok(bytes) => return Ok((parts.headers, bytes)),
                Err(error) if attempt >= self.attempts => return Err(failed(&self.at, &error)),
                Err(_) => sleep(pause(attempt)).await,
            }
            attempt += 1;
        }
    }

    /// Sends a request, again if the server cannot be reached or fails, and returns the response.
    async fn send(&self, headers: &[(HeaderName, String)]) -> Result<HttpResponse> {
        let start = Instant::now();
        let mut attempt = 1;
        loop {
            let is_last = attempt >= self.attempts || start.elapsed() > self.retry_timeout;
            match self.transport.call(self.request(headers)).await {
                Ok(response) if is_last || !is_temporary(response.status()) => return Ok(response),
                Ok(_) => {}
                Err(error) => {
                    let is_final = matches!(error.kind(), HttpErrorKind::Unknown | HttpErrorKind::Decode);
                    if is_last || is_final {
                        return Err(failed(&self.at, &error));
                    }
                }
            }
            sleep(pause(attempt)).await;
            attempt += 1;
        }
    }

    fn request(&self, headers: &[(HeaderName, String)]) -> Request<HttpRequestBody> {
        let mut request = Request::new(HttpRequestBody::empty());
        *request.method_mut() = Method::GET;
        *request.uri_mut() = self.uri.clone();
        let map = request.headers_mut();
        map.insert(USER_AGENT, HeaderValue::from_static(concat!("kiln/", env!("CARGO_PKG_VERSION"))));
        if let Some(authorization) = &self.authorization {
            map.insert(AUTHORIZATION, authorization.clone());
        }
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(value) {
                map.insert(name, value);
            }
        }
        request
    }

    /// The error of a response that has not the file.
    fn check(&self, response: HttpResponse) -> Result<HttpResponse> {
        let error = |kind, message: String| Err(ObjectError::new(&self.at, kind, message));
        match response.status() {
            status if status.is_success() => Ok(response),
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                error(ObjectErrorKind::NotFound, "the file does not exist".to_owned())
            }
            status @ (StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) => error(
                ObjectErrorKind::Denied,
                format!(
                    "access denied with status {}; is the signature or password of the URL valid?",
                    status.as_u16()
                ),
            ),
            StatusCode::PRECONDITION_FAILED | StatusCode::RANGE_NOT_SATISFIABLE => Err(changed(&self.at)),
            status if is_temporary(status) => error(
                ObjectErrorKind::Unreachable,
                format!("the server failed with status {}, also when the request was repeated", status.as_u16()),
            ),
            status => error(ObjectErrorKind::Other, format!("the server responded with status {}", status.as_u16())),
        }
    }
}

/// The header of the user and password of a URL.
fn basic_authorization(url: &url::Url) -> Result<Option<HeaderValue>, ()> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    let decode = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let pair = [&decode(url.username())[..], b":", &decode(url.password().unwrap_or_default())].concat();
    let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).map_err(|_| ())?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// The condition that the file still has a revision.
fn condition(revision: &Revision) -> Option<(HeaderName, String)> {
    let by_tag = || Some((IF_MATCH, revision.strong_etag()?.to_owned()));
    by_tag().or_else(|| Some((IF_UNMODIFIED_SINCE, revision.last_modified.clone()?)))
}

/// Whether a later request may have another response.
fn is_temporary(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
}

/// The pause after a failed attempt: 0.1, 0.4, 1.6 s, and so on to 5 s.
fn pause(attempt: usize) -> Duration {
    const MAX: Duration = Duration::from_secs(5);
    Duration::from_millis(100).saturating_mul(4u32.saturating_pow(attempt as u32 - 1)).min(MAX)
}

/// The size and revision that headers of a response state.
fn info(headers: &HeaderMap) -> ObjectInfo {
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned);
    let last_modified = text(LAST_MODIFIED);
    ObjectInfo {
        size: text(CONTENT_LENGTH).and_then(|size| size.parse().ok()),
        modified: last_modified.as_deref().and_then(|time| httpdate::parse_http_date(time).ok()),
        revision: Revision { etag: text(ETAG), version: None, last_modified },
        has_ranges: text(ACCEPT_RANGES).is_some_and(|unit| unit.eq_ignore_ascii_case("bytes")),
    }
}

/// The range and the size of the file in the headers of a response.
fn content_range(headers: &HeaderMap) -> Option<(Range<u64>, u64)> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, size) = text.trim().strip_prefix("bytes ")?.split_once('/')?;
    let (start, end) = range.split_once('-')?;
    let range = start.trim().parse().ok()?..end.trim().parse::<u64>().ok()?.checked_add(1)?;
    Some((range, size.trim().parse().ok()?))
}

/// The error of a request without a complete response.
fn failed(at: &ObjectUrl, error: &object_store::client::HttpError) -> ObjectError {
    match find_failure(error) {
        Some(failure) => ObjectError::new(at, kind_of(failure), failure.to_string()),
        None => ObjectError::new(at, ObjectErrorKind::Unreachable, "the response of the server is invalid"),
    }
}
