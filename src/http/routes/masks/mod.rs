//! `/masks`: arrays that clients upload, as pictures, values and legends. A file for each route.

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
use crate::http::parameters::mask_upload::{BackgroundSource, UploadedFiles};
use crate::http::server::App;
use crate::http::server::clock::now_s;
use crate::http::server::masks::{Spool, UploadedImage};
use crate::http::server::problem::{HttpResult, Problem};
use crate::mask::{MaskStyle, size_of};
use crate::masks::{MaskId, MaskOptions, MaskRecord};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, parameter_set};

parameter_set! {
    /// Who learns of the clicks on a mask.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct WebhookOptions {
        /// URL that the clicks on the mask are sent to by POST, as JSON. `masks.webhook_urls` of the config lists the URLs that
        /// are allowed.
        pub(crate) webhook: String = Declaration::new(Parameter::WEBHOOK, Kind::Text),
    }
}

parameter_set! {
    /// A place on a mask: a point of its picture, or a cell.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct PlaceOptions {
        /// Pixels from the left edge of the picture, whose size is the mask's `width` and `height`.
        x: f64 = Declaration::new(Parameter::X, Kind::NUMBER).example("120.5"),
        /// Pixels from the top edge of the picture.
        y: f64 = Declaration::new(Parameter::Y, Kind::NUMBER).example("80.5"),
        /// Row of the mask, from 0 at the top; with `column` in place of `x` and `y`.
        row: u64 = Declaration::new(Parameter::ROW, Kind::COUNT),
        /// Column of the mask, from 0 at the left.
        column: u64 = Declaration::new(Parameter::COLUMN, Kind::COUNT),
    }
}

/// A cell of a mask, and its place in the picture in pixels.
#[derive(Clone, Copy, Debug)]
struct Place {
    row: usize,
    column: usize,
    x: f64,
    y: f64,
}

impl PlaceOptions {
    /// The cell of a mask whose picture has a `size` in pixels.
    fn resolve(self, record: &MaskRecord, (width, height): (usize, usize)) -> HttpResult<Place> {
        let (rows, columns) = (record.rows(), record.columns());
        match self {
            Self { x: Some(x), y: Some(y), row: None, column: None } => {
                let cell = crate::mask::cell_at((columns, rows), x, y, (width, height));
                let (row, column) = cell.ok_or_else(|| {
                    let (name, value, side) =
                        if (0.0..width as f64).contains(&x) { ("y", y, height) } else { ("x", x, width) };
                    Problem::parameter(name, format!("{value} is outside of the picture, which has {side} px"))
                })?;
                Ok(Place { row, column, x, y })
            }
            Self { x: None, y: None, row: Some(row), column: Some(column) } => {
                for (name, cell, cells) in [("row", row, rows), ("column", column, columns)] {
                    if cell >= cells as u64 {
                        let why = format!("{cell} is outside of the mask, which has {cells}, counted from 0");
                        return Err(Problem::parameter(name, why));
                    }
                }
                let (row, column) = (row as usize, column as usize);
                let middle = |cell: usize, cells: usize, px: usize| (cell as f64 + 0.5) / cells as f64 * px as f64;
                Ok(Place { row, column, x: middle(column, columns, width), y: middle(row, rows, height) })
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

/// The problem of an id that no mask has, or no longer.
fn gone() -> Box<Problem> {
    Problem::not_found("there is no such mask, or no longer; POST /masks creates one")
}

fn expires_at_s(app: &App, record: &MaskRecord) -> u64 {
    record.created_s.saturating_add(app.config.masks.ttl.as_secs())
}

fn is_expired(app: &App, record: &MaskRecord) -> bool {
    expires_at_s(app, record) <= now_s()
}

/// How long a mask lives from now on.
fn expires_in(app: &App, record: &MaskRecord) -> Duration {
    Duration::from_secs(expires_at_s(app, record).saturating_sub(now_s()))
}

/// The mask with an id.
async fn find(app: &Arc<App>, id: &str) -> HttpResult<(MaskId, MaskRecord)> {
    let id: MaskId = id.parse().map_err(|_| gone())?;
    let folder = app.masks.folder();
    let record = blocking(move || Ok(folder.record(id)?)).await?;
    let record = record.filter(|record| !is_expired(app, record)).ok_or_else(gone)?;
    Ok((id, record))
}

/// Reads or writes small files without a place in the queue of pictures.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> HttpResult<T> + Send + 'static) -> HttpResult<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(answer) => answer,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Problem::busy("the server is stopping")),
        },
    }
}

/// The style of options.
fn resolve(app: &App, options: &MaskOptions) -> HttpResult<MaskStyle> {
    // A scheme that the server does not know is one of the colormaps that it does not know.
    let find = |name: &str| {
        app.schemes.find(Some(name)).map_err(|problem| Error::invalid(Parameter::COLORMAP, problem.detail().to_owned()))
    };
    Ok(options.resolve(find)?)
}

/// The size of a picture in pixels, within `limits.pixels`.
fn picture_size(
    app: &App,
    mask: (usize, usize),
    style: &MaskStyle,
    background: Option<(usize, usize)>,
) -> HttpResult<(usize, usize)> {
    let (width, height) = size_of(mask, style, background)?;
    let (pixels, limit) = ((width * height) as u64, app.config.limits.pixels);
    if pixels > limit {
        let why =
            format!("the picture has {width} × {height} px, which exceeds {limit}; give a smaller width or height");
        return Err(Problem::too_large("limits.pixels", why));
    }
    Ok((width, height))
}

/// Checks the URL of a webhook.
fn check_webhook(app: &App, webhook: Option<&str>) -> HttpResult<()> {
    let Some(url) = webhook else { return Ok(()) };
    app.masks.webhooks.check(url).map_err(|why| {
        let allowed = "masks.webhook_urls of the config lists the URLs that are allowed";
        Problem::parameter("webhook", format!("the URL {why}; {allowed}"))
    })
}

/// The bytes of a background, which may have to be read or downloaded.
async fn background_bytes(app: &App, files: &mut UploadedFiles) -> HttpResult<Option<Bytes>> {
    match files.background.take() {
        None => Ok(None),
        Some(BackgroundSource::Image(bytes)) => Ok(Some(bytes)),
        Some(BackgroundSource::Reference(reference)) => {
            // The array and the image wait in files: a slow download takes neither memory nor a permit from others.
            let folder = &app.config.masks.folder;
            let mask = match files.mask.take() {
                Some(mask) => Some(Spool::of(folder, mask).await?),
                None => None,
            };
            files.permit = None;
            let max_bytes = usize::try_from(app.config.limits.mask_body.bytes()).unwrap_or(usize::MAX);
            let image = {
                let _download = app.masks.download_permit().await?;
                Spool::of(folder, app.masks.read_reference(&reference, max_bytes).await?.into()).await?
            };
            files.permit = Some(app.masks.decode_permit().await?);
            if let Some(mask) = mask {
                files.mask = Some(mask.read().await?);
            }
            Ok(Some(image.read().await?))
        }
    }
}

/// The permit to decode the files of a request, which a large one has already.
async fn decode_permit(app: &App, files: &mut UploadedFiles) -> HttpResult<OwnedSemaphorePermit> {
    match files.permit.take() {
        Some(permit) => Ok(permit),
        None => app.masks.decode_permit().await,
    }
}

/// Decodes a background, and checks the picture that the mask has over it.
fn decode_background(app: &App, bytes: Option<Bytes>) -> HttpResult<Option<UploadedImage>> {
    bytes.map(|bytes| UploadedImage::decode(bytes, &app.config.limits)).transpose()
}
