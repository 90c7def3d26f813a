//! The response that describes a mask.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::{expires_at_s, picture_size};
use crate::http::server::App;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::problem::HttpResult;
use crate::mask::{MaskStyle, aspect_remark};
use crate::masks::{MaskId, MaskRecord};
use crate::parameter::Message;
use crate::parameters::ParameterSet;

/// A stored mask.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct MaskReply {
    /// Id of the mask. The id grants access: any client that knows it can read, change and delete the mask.
    #[schema(example = "67e5504410b1426f9247bb680e5fe0c8")]
    id: String,
    /// URLs of the mask.
    urls: MaskUrls,
    /// Width of the picture in pixels.
    width: usize,
    /// Height of the picture in pixels.
    height: usize,
    /// Rows of the mask.
    rows: usize,
    /// Columns of the mask.
    columns: usize,
    /// Number of cells without data.
    missing: usize,
    /// The least finite value; null if there is none.
    minimum: Option<f64>,
    /// The greatest finite value; null if there is none.
    maximum: Option<f64>,
    /// Value of the lowest level.
    vmin: Option<f64>,
    /// Value of the highest level.
    vmax: Option<f64>,
    /// Style parameters that are set, as text.
    #[schema(example = json!({"colormap": "turbo", "opacity": "50"}))]
    style: BTreeMap<&'static str, String>,
    /// Whether clicks are sent to a webhook. The URL is not returned.
    has_webhook: bool,
    /// Creation time in Unix seconds.
    #[schema(example = 1_732_158_000)]
    created_at: u64,
    /// Expiry time in Unix seconds.
    #[schema(example = 1_732_161_600)]
    expires_at: u64,
    /// Remarks, such as clipped or rejected labels, or a background with a different aspect ratio.
    remarks: Vec<String>,
}

/// URLs of a mask.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct MaskUrls {
    /// This description.
    mask: String,
    /// The mask over its background, if it has one.
    #[schema(example = "/masks/67e5504410b1426f9247bb680e5fe0c8.png")]
    image: String,
    /// The mask without its background, with transparency.
    overlay: String,
    /// The background without the mask; null if there is none.
    background: Option<String>,
    /// The legend as a PNG.
    legend: String,
    /// The legend as JSON.
    legend_json: String,
    /// The value of a cell; add `?x=&y=` or `?row=&column=`.
    value: String,
    /// Accepts clicks by POST.
    click: String,
    /// Returns clicks as server-sent events.
    events: String,
    /// A page that shows the mask; any site may embed it in a frame.
    #[schema(example = "/masks/67e5504410b1426f9247bb680e5fe0c8/page")]
    page: String,
}

impl MaskReply {
    pub(super) fn new(
        app: &App,
        base: &BaseUrl,
        id: MaskId,
        record: &MaskRecord,
        style: &MaskStyle,
    ) -> HttpResult<Self> {
        let mask = (record.columns(), record.rows());
        let (width, height) = picture_size(app, mask, style, record.background_size())?;
        let bounds = record.bounds(style);
        let url = |rest: &str| base.url(&format!("masks/{id}{rest}"));
        let options = record.style()?;
        let aspect = || record.background_size().and_then(|size| aspect_remark(mask, size));
        let slips: Vec<_> = options.remarks(mask).iter().map(Message::with_keys).collect();
        Ok(Self {
            id: id.to_string(),
            urls: MaskUrls {
                mask: url(""),
                image: url(".png"),
                overlay: url(".png?background=false"),
                background: record.background.as_ref().map(|_| url(".png?opacity=0")),
                legend: url("/legend.png"),
                legend_json: url("/legend.json"),
                value: url("/value"),
                click: url("/click"),
                events: url("/events"),
                page: url("/page"),
            },
            width,
            height,
            rows: record.rows(),
            columns: record.columns(),
            missing: record.missing,
            minimum: record.range.map(|(least, _)| least),
            maximum: record.range.map(|(_, greatest)| greatest),
            vmin: bounds.map(|(vmin, _)| vmin),
            vmax: bounds.map(|(_, vmax)| vmax),
            style: options.pairs().into_iter().collect(),
            has_webhook: record.webhook.is_some(),
            created_at: record.created_s,
            expires_at: expires_at_s(app, record),
            remarks: record.remarks.iter().cloned().chain(aspect()).chain(slips).collect(),
        })
    }
}
