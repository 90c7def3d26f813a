//! Request bodies with a mask or a background: the file itself, a form with files, or JSON.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use multer::{Constraints, Field, Multipart};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tokio::sync::OwnedSemaphorePermit;

use super::body::media_type;
use super::fields::Fields;
use super::python_json::with_json_numbers;
use super::shared::RawJson;
use crate::http::server::App;
use crate::http::server::body_budget::BodyLease;
use crate::http::server::masks::Spool;
use crate::http::server::problem::{HttpResult, Problem};
use crate::mask::annotations::{AnnotationFormat, AnnotationLimits, class_names};
use crate::mask::array::{ArrayFormat, Limits};
use crate::masks::{ReadMaskContext, ReadMaskOptions};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, ParameterSet, parameter_set};

parameter_set! {
    /// An array in JSON.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct ArrayOptions {
        /// Rows of numbers, all of the same length: `[[0, 0.5], [1, null]]`; null is no data. Or Supervisely or COCO JSON.
        pub(crate) mask: RawJson = Declaration::new(Parameter::MASK, Kind::Json),
    }
}

parameter_set! {
    /// A background by path or URL.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct BackgroundOptions {
        /// Image below the mask: a path or URL that `masks.background_folders` or `masks.background_urls` of the config allows.
        /// To upload an image, send it as a file of a form.
        pub(crate) background: String = Declaration::new(Parameter::BACKGROUND, Kind::Text),
    }
}

parameter_set! {
    /// Class names of YOLO labels.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct ClassNamesOptions {
        /// Names of the classes of YOLO labels, in the order of their numbers. A file of a form with this name may be a
        /// `data.yaml`, or have a name per line.
        pub(crate) class_names: Vec<String> = Declaration::new(Parameter::CLASS_NAMES, Kind::Texts)
            .default("the numbers")
            .example("person,car"),
    }
}

/// The content of an upload whose body is a single file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UploadKind {
    /// An array of values.
    Mask,
    /// An image.
    Background,
}

/// The source of a background.
#[derive(Debug)]
pub(crate) enum BackgroundSource {
    /// The bytes of an image.
    Image(Bytes),
    /// A path or a URL.
    Reference(String),
}

/// A file of a mask: an array or annotations.
#[derive(Debug)]
pub(crate) struct MaskFile {
    /// The file name, for messages.
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
}

/// Options and limits for reading the files of a mask.
#[derive(Debug)]
pub(crate) struct MaskReading {
    pub(crate) options: ReadMaskOptions,
    pub(crate) context: ReadMaskContext,
}

/// The files of a request and its other fields.
#[derive(Debug)]
pub(crate) struct MaskUpload {
    pub(crate) mask: Vec<MaskFile>,
    pub(crate) background: Option<BackgroundSource>,
    /// The class names of a file of a form.
    class_names: Option<Vec<String>>,
    /// Parameters of the body.
    body: Fields,
    /// Parameters of the query string.
    query: Fields,
    permit: Option<OwnedSemaphorePermit>,
}

/// The files of a request, and the permit to keep them in memory.
#[derive(Debug)]
pub(crate) struct UploadedFiles {
    /// Several are annotations.
    pub(crate) mask: Vec<MaskFile>,
    pub(crate) background: Option<BackgroundSource>,
    pub(crate) permit: Option<OwnedSemaphorePermit>,
}

impl UploadKind {
    fn accepts(self, media_type: &str) -> bool {
        let accepted: &[&str] = match self {
            Self::Mask => &MASK_MEDIA_TYPES,
            Self::Background => &BACKGROUND_MEDIA_TYPES,
        };
        accepted.contains(&media_type)
    }

    fn accepted(self) -> String {
        match self {
            Self::Mask => MASK_MEDIA_TYPES.join(", "),
            Self::Background => BACKGROUND_MEDIA_TYPES.join(", "),
        }
    }
}

/// Accepted media types of arrays. The format is detected from the content.
pub(crate) const MASK_MEDIA_TYPES: [&str; 9] = [
    "application/octet-stream",
    "application/x-npy",
    "application/x-npz",
    "application/zip",
    "application/json",
    "text/csv",
    "text/plain",
    "image/png",
    "image/tiff",
];

/// Accepted media types of backgrounds. The format is detected from the content.
pub(crate) const BACKGROUND_MEDIA_TYPES: [&str; 5] =
    ["application/octet-stream", "image/png", "image/jpeg", "image/webp", "image/tiff"];

impl MaskUpload {
    /// Reads the body of a request, of at most `limits.mask_body`. A body larger than 1 MiB waits for a permit after it was received.
    pub(crate) async fn read(app: &App, request: Request, kind: UploadKind) -> HttpResult<Self> {
        let (parts, body) = request.into_parts();
        let query = Fields::from_query(parts.uri.query().unwrap_or_default())?;
        let spool = collect(app, body, parts.extensions.get()).await?;
        let permit = if spool.is_large() { Some(app.masks.decode_permit().await?) } else { None };
        let bytes = spool.read().await?;
        let media_type = media_type(&parts.headers);
        let start = bytes.trim_ascii_start().first().copied();
        if media_type == "multipart/form-data" {
            let form = Form::read(&parts.headers, bytes).await?;
            let Form { mask, background, class_names, texts } = form.with_names();
            return Ok(Self { mask, background, class_names, body: Fields::from_pairs(texts), query, permit });
        }
        let new = |mask: Option<Bytes>, background, body| {
            let mask = mask.map(|bytes| MaskFile { name: "mask".to_owned(), bytes }).into_iter().collect();
            Self { mask, background, class_names: None, body, query, permit }
        };
        // curl sends every body with the media type of a form by default.
        let is_untyped = ["", "application/x-www-form-urlencoded"].contains(&media_type.as_str());
        let is_json = is_untyped || media_type == "application/json" || media_type.ends_with("+json");
        let is_object = is_json && start == Some(b'{');
        let is_document =
            is_json && start == Some(b'[') || is_object && kind == UploadKind::Mask && is_annotations(&bytes);
        if is_object && !is_document {
            let mut fields = read_json(&bytes, Fields::from_json)?;
            drop(bytes);
            let ArrayOptions { mask } = fields.read()?;
            let BackgroundOptions { background } = fields.read()?;
            let mask = mask.map(|RawJson(json)| Bytes::from(json));
            return Ok(new(mask, background.map(BackgroundSource::Reference), fields));
        }
        let is_binary = !matches!(ArrayFormat::detect(&bytes), None | Some(ArrayFormat::Csv | ArrayFormat::Json));
        let is_known_by_content = is_untyped && (is_binary || bytes.starts_with(b"\xff\xd8\xff"));
        if !is_document && !is_known_by_content && !kind.accepts(&media_type) {
            let message =
                format!("unsupported media type `{media_type}`; send multipart/form-data, or {}", kind.accepted());
            return Err(Problem::media_type(message));
        }
        if bytes.is_empty() {
            return Err(Problem::body("the body is empty"));
        }
        Ok(match kind {
            UploadKind::Mask => new(Some(bytes), None, Fields::default()),
            UploadKind::Background => new(None, Some(BackgroundSource::Image(bytes)), Fields::default()),
        })
    }

    /// Reads the parameters of a set; those of the body override those of the query string.
    pub(crate) fn options<S: ParameterSet>(&mut self) -> HttpResult<S> {
        let query: S = self.query.read()?;
        Ok(self.body.read::<S>()?.over(query))
    }

    /// Returns the options and limits for reading the mask. `width` and `height` are those of a mask of annotations, in pixels.
    pub(crate) fn reading(&mut self, app: &App, width: Option<u32>, height: Option<u32>) -> HttpResult<MaskReading> {
        let options = self.options()?;
        let ClassNamesOptions { class_names } = self.options()?;
        let class_names = match (self.class_names.take(), class_names) {
            (Some(_), Some(_)) => return Err(Problem::parameter("class_names", "duplicate field")),
            (file, text) => file.or(text).unwrap_or_default(),
        };
        let limits = &app.config.limits;
        let at_most = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        let (max_cells, max_bytes) = (at_most(limits.mask_cells), at_most(limits.mask_body.bytes()));
        let context = ReadMaskContext {
            class_names,
            width: width.map(|px| px as usize),
            height: height.map(|px| px as usize),
            array_limits: Limits { max_cells, max_bytes },
            annotation_limits: AnnotationLimits {
                max_bytes,
                max_cells,
                max_labels: at_most(limits.mask_labels),
                max_vertices: limits.mask_vertices,
                max_steps: limits.mask_steps,
            },
        };
        Ok(MaskReading { options, context })
    }

    /// Rejects unknown parameters, and returns the files.
    pub(crate) fn finish(self) -> HttpResult<UploadedFiles> {
        let Self { mask, background, class_names: _, body, query, permit } = self;
        body.finish()?;
        query.finish()?;
        Ok(UploadedFiles { mask, background, permit })
    }
}

/// Returns whether a JSON object is annotations instead of a request with a `mask`.
fn is_annotations(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct MaskMember {
        mask: Option<IgnoredAny>,
    }
    // A request may have the parameter `annotations`, which is also a member of a COCO dataset.
    let is_request =
        || read_json(bytes, |json| serde_json::from_slice(json)).is_ok_and(|MaskMember { mask }| mask.is_some());
    AnnotationFormat::detect(bytes).is_some() && !is_request()
}

/// Reads a JSON body. Only a body that is invalid JSON is searched for the words of [`with_json_numbers`].
fn read_json<T, E>(bytes: &[u8], read: impl Fn(&[u8]) -> Result<T, E>) -> Result<T, E> {
    read(bytes).or_else(|error| with_json_numbers(bytes).map_or(Err(error), |json| read(&json)))
}

/// Receives a body. A body larger than 1 MiB is spooled to a file, so that a slow client needs neither memory nor a permit.
/// The bytes in memory are charged to `lease`.
async fn collect(app: &App, mut body: Body, lease: Option<&BodyLease>) -> HttpResult<Spool> {
    let max_bytes = app.config.limits.mask_body.bytes();
    let mut spool = Spool::new(&app.config.masks.folder);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Problem::body(format!("the body ended early: {error}")))?;
        let data = frame.into_data().unwrap_or_default();
        if spool.len() + data.len() as u64 > max_bytes {
            let message = format!("the body exceeds the limit of {max_bytes} bytes");
            return Err(Problem::too_large("limits.mask_body", message));
        }
        lease.map_or(Ok(()), |lease| lease.add(data.len()))?;
        let spooled = spool.push(&data).await?;
        if let Some(lease) = lease {
            lease.subtract(spooled);
        }
    }
    Ok(spool)
}

/// The fields of a form.
#[derive(Debug, Default)]
struct Form {
    mask: Vec<MaskFile>,
    background: Option<BackgroundSource>,
    class_names: Option<Vec<String>>,
    texts: Vec<(String, String)>,
}

impl Form {
    /// The most files of one name.
    const MAX_FILES: usize = 10_000;

    async fn read(headers: &HeaderMap, bytes: Bytes) -> HttpResult<Self> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = multer::parse_boundary(content_type);
        let boundary = boundary.map_err(|_| Problem::body("missing boundary in the Content-Type of the form"))?;
        let invalid = |error: multer::Error| Problem::body(format!("invalid form: {error}"));
        // The whole body is passed at once: `multer` would search a chunked body again for each chunk.
        let stream = Body::from(bytes).into_data_stream();
        let mut fields = Multipart::with_constraints(stream, boundary, Constraints::new());
        let mut form = Self::default();
        while let Some(field) = fields.next_field().await.map_err(invalid)? {
            form.add(field).await?;
        }
        Ok(form)
    }

    /// A single file is called as its field is; only several need a name of their own in messages.
    fn with_names(mut self) -> Self {
        if let [file] = &mut self.mask[..] {
            "mask".clone_into(&mut file.name);
        }
        self
    }

    async fn add(&mut self, field: Field<'static>) -> HttpResult<()> {
        let name = field.name().unwrap_or_default().to_owned();
        let is_file =
            field.file_name().is_some() || !["", "text/plain"].contains(&media_type(field.headers()).as_str());
        let file_name = field.file_name().map(|name| {
            let name = name.chars().take(80).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
            name.collect::<String>()
        });
        let bytes = field.bytes().await.map_err(|error| Problem::body(format!("invalid form: {error}")))?;
        let duplicate = || Err(Problem::parameter(&name, "duplicate field"));
        match name.as_str() {
            "mask" if self.mask.len() == Self::MAX_FILES => {
                return Err(Problem::parameter(
                    "mask",
                    format!("the form exceeds the limit of {} files", Self::MAX_FILES),
                ));
            }
            "class_names" if is_file && self.class_names.is_some() => return duplicate(),
            "background" if self.background.is_some() => return duplicate(),
            "mask" => {
                let name = file_name.unwrap_or_else(|| format!("mask {}", self.mask.len() + 1));
                self.mask.push(MaskFile { name, bytes });
            }
            "class_names" if is_file => {
                let text = str::from_utf8(&bytes).map_err(|_| Problem::parameter(&name, "it is not UTF-8"))?;
                let names = class_names(text, &name)
                    .map_err(|error| Problem::parameter(&name, error.into_message().with_keys()))?;
                self.class_names = Some(names);
            }
            "background" if is_file => self.background = Some(BackgroundSource::Image(bytes)),
            _ if is_file => {
                return Err(Problem::parameter(&name, "unknown file; expected mask, background or class_names"));
            }
            _ => {
                const MAX_BYTES: usize = 8192;
                if bytes.len() > MAX_BYTES {
                    return Err(Problem::parameter(&name, format!("exceeds the limit of {MAX_BYTES} bytes")));
                }
                let text = String::from_utf8(bytes.into()).map_err(|_| Problem::parameter(&name, "invalid UTF-8"))?;
                if name == "background" {
                    self.background = Some(BackgroundSource::Reference(text));
                } else {
                    self.texts.push((name, text));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::is_annotations;

    #[test]
    fn an_object_with_a_mask_is_a_request() {
        assert!(is_annotations(br#"{"annotations": [], "images": []}"#));
        for request in [r#"{"annotations": "coco", "mask": {}}"#, r#"{"annotations": "coco", "mask": [[NaN]]}"#] {
            assert!(!is_annotations(request.as_bytes()), "{request}");
        }
    }
}
