//! `PATCH /masks/{id}`: changes the style of a mask.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{HeaderMap, Response, header};
use axum::response::IntoResponse;
use serde::de::IgnoredAny;

use super::reply::MaskReply;
use super::{WebhookOptions, check_webhook, find, mask_not_found, picture_size, resolve};
use crate::http::parameters::body::body_fields;
use crate::http::parameters::openapi::request_body;
use crate::http::server::base_url::BaseUrl;
use crate::http::server::masks::mask_problem;
use crate::http::server::problem::{HttpResult, Problem};
use crate::http::server::session::Session;
use crate::masks::{MaskOptions, MaskRecord};
use crate::parameter::Parameter;
use crate::parameters::ParameterSet;

request_body! {
    /// Changes of a mask's style and webhook.
    StyleRequest(WebhookOptions, MaskOptions),
    example: {"colormap": "viridis", "opacity": 60, "vmax": null}
}

/// The changes of a PATCH request.
#[derive(Debug)]
struct Patch {
    set: MaskOptions,
    webhook: Option<String>,
    /// The parameters that are null.
    cleared: Vec<Parameter>,
}

/// Change the style of a mask
///
/// ```sh
/// curl -X PATCH localhost:3000/masks/ID -H 'Content-Type: application/json' -d '{"opacity": 40, "vmax": null}'
/// ```
///
/// Omitted parameters are unchanged; null restores the default (RFC 7396). A request that fails changes nothing.
#[utoipa::path(patch, path = "/masks/{id}", operation_id = "update_mask", tag = "masks", request_body = StyleRequest,
    params(("id" = String, Path, description = "Id returned by POST /masks", example = "67e5504410b1426f9247bb680e5fe0c8")),
    responses(
        (status = 200, description = "The mask has the new style", body = MaskReply),
        (status = 400, description = "A parameter is invalid", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "The mask does not exist or has expired", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The request exceeds a limit", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The media type is unsupported", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "The render queue is full, or rendering timed out", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = Problem, content_type = "application/problem+json"),
    ))]
pub(crate) async fn patch(
    app: Session,
    Path(id): Path<String>,
    base: BaseUrl,
    headers: HeaderMap,
    body: Bytes,
) -> HttpResult<Response<Body>> {
    let patch = Patch::read(&headers, &body)?;
    check_webhook(&app, patch.webhook.as_deref())?;
    let (id, record) = find(&app, &id).await?;
    let shared = Arc::clone(&app);
    let permit = app.masks.reload_permit(&record, &resolve(&app, &patch.applied_to(record.style()?))?, false).await?;
    let work = move || -> HttpResult<_> {
        // Kept until the values are read.
        let _permit = permit;
        // Computes the levels before the change: an error rejects the request, and on success they are cached for the next render.
        let style = resolve(&shared, &patch.applied_to(record.style()?))?;
        shared.masks.levels(id, &record, &style).map_err(mask_problem)?;
        let change = |record: &mut MaskRecord| -> HttpResult<()> {
            let options = patch.applied_to(record.style()?);
            let style = resolve(&shared, &options)?;
            picture_size(&shared, (record.columns(), record.rows()), &style, record.background_size())?;
            record.set_style(&options);
            if patch.cleared.contains(&Parameter::WEBHOOK) {
                record.webhook = None;
            } else if patch.webhook.is_some() {
                record.webhook.clone_from(&patch.webhook);
            }
            Ok(())
        };
        let record = shared.masks.folder().change(id, change)?.ok_or_else(mask_not_found)?;
        let style = resolve(&shared, &record.style()?)?;
        Ok((record, style))
    };
    let (record, style) = app.pool.run(move |_| Ok(work())).await??;
    let reply = MaskReply::new(&app, &base, id, &record, &style)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(reply)).into_response())
}

impl Patch {
    fn read(headers: &HeaderMap, body: &[u8]) -> HttpResult<Self> {
        let mut fields = body_fields(headers, body)?;
        let set: MaskOptions = fields.read()?;
        let WebhookOptions { webhook } = fields.read()?;
        fields.finish()?;
        // Only JSON can contain null; for a form, parsing fails and no parameter is cleared.
        let members: BTreeMap<String, Option<IgnoredAny>> = serde_json::from_slice(body).unwrap_or_default();
        let is_null = |parameter: &Parameter| matches!(members.get(parameter.key()), Some(None));
        let known = MaskOptions::declarations().chain(WebhookOptions::declarations());
        let cleared = known.map(|declaration| declaration.parameter).filter(is_null).collect();
        Ok(Self { set, webhook, cleared })
    }

    fn applied_to(&self, stored: MaskOptions) -> MaskOptions {
        self.set.clone().over(stored.without(&self.cleared))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn null_restores_the_default_and_omitted_parameters_are_unchanged() {
        let stored = MaskOptions { opacity: Some(20.0), vmax: Some(1.0), ..MaskOptions::default() };
        let read = |body: &str| Patch::read(&HeaderMap::new(), body.as_bytes());
        let patch = read(r#"{"vmax": null, "vmin": -1, "blur_ksize": [7, 5], "webhook": null}"#).unwrap();
        let options = patch.applied_to(stored);
        assert_eq!((options.opacity, options.vmin, options.vmax), (Some(20.0), Some(-1.0), None));
        assert_eq!(options.kernel_size.unwrap().to_string(), "7,5");
        assert!(patch.cleared.contains(&Parameter::WEBHOOK));
        assert!(read(r#"{"opacitty": 1}"#).unwrap_err().detail().contains("did you mean opacity?"));
    }
}
