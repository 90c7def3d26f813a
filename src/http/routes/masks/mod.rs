//! `/masks`: stores uploaded arrays, and serves their pictures, values and legends. One file per route.

pub(crate) mod click;
pub(crate) mod create;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod events;
pub(crate) mod legend;
pub(crate) mod page;
pub(crate) mod picture;
pub(crate) mod put_background;
pub(crate) mod put_mask;
mod reply;
pub(crate) mod style;
pub(crate) mod value;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::error::Error;
use crate::http::parameters::mask_upload::{BackgroundSource, MaskFile, UploadedFiles};
use crate::http::server::App;
use crate::http::server::clock::now_s;
use crate::http::server::masks::{Spool, UploadedImage};
use crate::http::server::problem::{HttpResult, Problem};
use crate::mask::{MaskStyle, size_of};
use crate::masks::{MaskId, MaskOptions, MaskRecord};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};

parameter_set! {
    /// Webhook options of a mask.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct WebhookOptions {
        /// URL to which clicks on the mask are sent by POST, as JSON. `masks.webhook_urls` of the config lists the allowed URLs.
        pub(crate) webhook: String = Declaration::new(Parameter::WEBHOOK, Kind::Text),
    }
}

parameter_set! {
    /// A position on a mask: a point of its picture, or a cell.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct PositionOptions {
        /// Pixels from the left edge of the picture, whose size is the mask's `width` and `height`.
        x: f64 = Declaration::new(Parameter::X, Kind::NUMBER).example("120.5"),
        /// Pixels from the top edge of the picture.
        y: f64 = Declaration::new(Parameter::Y, Kind::NUMBER).example("80.5"),
        /// Zero-based row of the mask, from the top. Use `row` and `column` instead of `x` and `y`.
        row: u64 = Declaration::new(Parameter::ROW, Kind::COUNT),
        /// Zero-based column of the mask, from the left.
        column: u64 = Declaration::new(Parameter::COLUMN, Kind::COUNT),
    }
}

/// A cell of a mask, and its position in the picture in pixels.
#[derive(Clone, Copy, Debug)]
struct MaskPosition {
    row: usize,
    column: usize,
    x: f64,
    y: f64,
}

impl PositionOptions {
    /// Resolves the position in a mask whose picture has `width` × `height` pixels.
    fn resolve(self, record: &MaskRecord, (width, height): (usize, usize)) -> HttpResult<MaskPosition> {
        let (rows, columns) = (record.rows(), record.columns());
        match self {
            Self { x: Some(x), y: Some(y), row: None, column: None } => {
                let cell = crate::mask::cell_at((columns, rows), x, y, (width, height));
                let (row, column) = cell.ok_or_else(|| {
                    let (name, value, side) =
                        if (0.0..width as f64).contains(&x) { ("y", y, height) } else { ("x", x, width) };
                    Problem::parameter(name, format!("{value} is outside the picture; expected 0 to {side} px"))
                })?;
                Ok(MaskPosition { row, column, x, y })
            }
            Self { x: None, y: None, row: Some(row), column: Some(column) } => {
                for (name, cell, cells) in [("row", row, rows), ("column", column, columns)] {
                    if cell >= cells as u64 {
                        let message = format!("{cell} is out of range; expected 0 to {}", cells - 1);
                        return Err(Problem::parameter(name, message));
                    }
                }
                let (row, column) = (row as usize, column as usize);
                let center = |cell: usize, cells: usize, px: usize| (cell as f64 + 0.5) / cells as f64 * px as f64;
                Ok(MaskPosition { row, column, x: center(column, columns, width), y: center(row, rows, height) })
            }
            Self { x, y, row, column } => {
                let name = match (x, y, row, column) {
                    (Some(_), None, ..) => "y",
                    (None, _, Some(_), None) => "column",
                    (None, None, None, Some(_)) => "row",
                    _ => "x",
                };
                Err(Problem::parameter(name, "give either x and y, or row and column"))
            }
        }
    }
}

/// A 404 problem for an unknown or expired mask id.
fn mask_not_found() -> Box<Problem> {
    Problem::not_found("unknown or expired mask; create one with POST /masks")
}

fn expires_at_s(app: &App, record: &MaskRecord) -> u64 {
    record.created_s.saturating_add(app.config.masks.ttl.as_secs())
}

fn is_expired(app: &App, record: &MaskRecord) -> bool {
    expires_at_s(app, record) <= now_s()
}

/// The remaining lifetime of a mask.
fn expires_in(app: &App, record: &MaskRecord) -> Duration {
    Duration::from_secs(expires_at_s(app, record).saturating_sub(now_s()))
}

/// Returns the id and the record of an existing mask.
async fn find(app: &Arc<App>, id: &str) -> HttpResult<(MaskId, MaskRecord)> {
    let id: MaskId = id.parse().map_err(|_| mask_not_found())?;
    let folder = app.masks.folder();
    let record = blocking(move || Ok(folder.record(id)?)).await?;
    let record = record.filter(|record| !is_expired(app, record)).ok_or_else(mask_not_found)?;
    Ok((id, record))
}

/// Runs short file I/O on Tokio's blocking threads, outside the render queue.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> HttpResult<T> + Send + 'static) -> HttpResult<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Problem::busy("the server is stopping")),
        },
    }
}

/// Resolves options to a style.
fn resolve(app: &App, options: &MaskOptions) -> HttpResult<MaskStyle> {
    // Schemes are a kind of colormap, so an unknown scheme is reported as an invalid `colormap`.
    let find = |name: &str| {
        app.schemes.find(Some(name)).map_err(|problem| Error::invalid(Parameter::COLORMAP, problem.detail().to_owned()))
    };
    Ok(options.resolve(find)?)
}

/// Returns the size of a picture in pixels, or a problem if it exceeds `limits.pixels`.
fn picture_size(
    app: &App,
    mask: (usize, usize),
    style: &MaskStyle,
    background: Option<(usize, usize)>,
) -> HttpResult<(usize, usize)> {
    let (width, height) = size_of(mask, style, background)?;
    let (pixels, limit) = ((width * height) as u64, app.config.limits.pixels);
    if pixels > limit {
        let message = format!(
            "the picture of {width} × {height} px exceeds the limit of {limit} px; set a smaller width or height"
        );
        return Err(Problem::too_large("limits.pixels", message));
    }
    Ok((width, height))
}

/// Checks the URL of a webhook.
fn check_webhook(app: &App, webhook: Option<&str>) -> HttpResult<()> {
    let Some(url) = webhook else { return Ok(()) };
    app.masks.webhooks.check(url).map_err(|reason| {
        let allowed = "masks.webhook_urls of the config lists the allowed URLs";
        Problem::parameter("webhook", format!("the URL {reason}; {allowed}"))
    })
}

/// The bytes of a background image; reads or downloads it if it is a path or URL.
async fn background_bytes(app: &App, files: &mut UploadedFiles) -> HttpResult<Option<Bytes>> {
    match files.background.take() {
        None => Ok(None),
        Some(BackgroundSource::Image(bytes)) => Ok(Some(bytes)),
        Some(BackgroundSource::Reference(reference)) => {
            // During the download the files are spooled to disk, so that a slow server needs neither memory nor a decode permit.
            let folder = &app.config.masks.folder;
            let mut spool = Spool::new(folder);
            let mut sizes = Vec::with_capacity(files.mask.len());
            for MaskFile { name, bytes } in files.mask.drain(..) {
                spool.push(&bytes).await?;
                sizes.push((name, bytes.len()));
            }
            files.permit = None;
            let max_bytes = usize::try_from(app.config.limits.mask_body.bytes()).unwrap_or(usize::MAX);
            let image = {
                let _download = app.masks.download_permit().await?;
                Spool::of(folder, app.masks.read_reference(&reference, max_bytes).await?.into()).await?
            };
            files.permit = Some(app.masks.decode_permit().await?);
            let mut mask = spool.read().await?;
            files.mask = sizes.into_iter().map(|(name, len)| MaskFile { name, bytes: mask.split_to(len) }).collect();
            Ok(Some(image.read().await?))
        }
    }
}

/// Returns the permit to decode the files of a request. A large request already has one.
async fn decode_permit(app: &App, files: &mut UploadedFiles) -> HttpResult<OwnedSemaphorePermit> {
    match files.permit.take() {
        Some(permit) => Ok(permit),
        None => app.masks.decode_permit().await,
    }
}

/// Decodes a background image within the configured limits.
fn decode_background(app: &App, bytes: Option<Bytes>) -> HttpResult<Option<UploadedImage>> {
    bytes.map(|bytes| UploadedImage::decode(bytes, &app.config.limits)).transpose()
}
