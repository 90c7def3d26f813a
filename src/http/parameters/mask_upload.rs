//! The body of a request with a mask or a background: the file itself, a form with files, or JSON.

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, header};
use http_body_util::BodyExt;
use multer::{Constraints, Field, Multipart};
use tokio::sync::OwnedSemaphorePermit;

use super::body::media_type;
use super::fields::Fields;
use super::shared::RawJson;
use crate::http::server::App;
use crate::http::server::masks::Spool;
use crate::http::server::problem::{HttpResult, Problem};
use crate::mask::array::{ArrayFormat, Limits, ReadArrayOptions};
use crate::parameter::Parameter;
use crate::parameters::{Declaration, Kind, ParameterSet, parameter_set};

parameter_set! {
    /// An array in JSON.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct ArrayOptions {
        /// Rows of numbers, all of one length: `[[0, 0.5], [1, null]]`; null is no data.
        pub(crate) mask: RawJson = Declaration::new(Parameter::MASK, Kind::Json),
    }
}

parameter_set! {
    /// A background that is not uploaded.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct BackgroundOptions {
        /// Image below the mask: a path or a URL that `masks.background_folders` and `masks.background_urls` of the config
        /// allow. An uploaded image is a file of a form.
        pub(crate) background: String = Declaration::new(Parameter::BACKGROUND, Kind::Text),
    }
}

parameter_set! {
    /// How an uploaded array is read.
    #[derive(Clone, Debug, Default)]
    pub(crate) struct ReadMaskOptions {
        /// Which array of an `.npz` archive.
        pub(crate) member: String = Declaration::new(Parameter::MEMBER, Kind::Label).default("the only one"),
        /// Whether arrays of three dimensions are channels × rows × columns, as in PyTorch, and not rows × columns × channels.
        pub(crate) channels_first: bool = Declaration::new(Parameter::CHANNELS_FIRST, Kind::Boolean).default("false"),
    }
}

/// What an upload is where its body is a file itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UploadKind {
    /// An array of values.
    Mask,
    /// An image.
    Background,
}

/// Where a background comes from.
#[derive(Debug)]
pub(crate) enum BackgroundSource {
    /// The bytes of an image.
    Image(Bytes),
    /// A path or a URL.
    Reference(String),
}

/// The files of a request, and its other fields.
#[derive(Debug)]
pub(crate) struct MaskUpload {
    pub(crate) mask: Option<Bytes>,
    pub(crate) background: Option<BackgroundSource>,
    /// Parameters of the body.
    body: Fields,
    /// Parameters of the query string.
    query: Fields,
    permit: Option<OwnedSemaphorePermit>,
}

/// The files of a request, and the permit to hold them in memory.
#[derive(Debug)]
pub(crate) struct UploadedFiles {
    pub(crate) mask: Option<Bytes>,
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

/// The media types of arrays. Which format it is follows from the content.
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

/// The media types of backgrounds, likewise.
pub(crate) const BACKGROUND_MEDIA_TYPES: [&str; 5] =
    ["application/octet-stream", "image/png", "image/jpeg", "image/webp", "image/tiff"];

impl MaskUpload {
    /// Reads the body of a request, of at most `limits.mask_body`. A large one waits for a permit once it has arrived.
    pub(crate) async fn read(app: &App, request: Request, kind: UploadKind) -> HttpResult<Self> {
        let (parts, body) = request.into_parts();
        let query = Fields::from_query(parts.uri.query().unwrap_or_default())?;
        let spool = collect(app, body).await?;
        let permit = if spool.is_large() { Some(app.masks.decode_permit().await?) } else { None };
        let bytes = spool.read().await?;
        let media_type = media_type(&parts.headers);
        let start = bytes.trim_ascii_start().first().copied();
        let new = |mask, background, body| Self { mask, background, body, query, permit };
        if media_type == "multipart/form-data" {
            let form = Form::read(&parts.headers, bytes).await?;
            return Ok(new(form.mask, form.background, Fields::from_pairs(form.texts)?));
        }
        // curl calls everything a form.
        let is_untyped = ["", "application/x-www-form-urlencoded"].contains(&media_type.as_str());
        let is_json = is_untyped || media_type == "application/json" || media_type.ends_with("+json");
        if is_json && start == Some(b'{') {
            let mut fields = Fields::from_json(&bytes)?;
            drop(bytes);
            let ArrayOptions { mask } = fields.read()?;
            let BackgroundOptions { background } = fields.read()?;
            let mask = mask.map(|RawJson(json)| Bytes::from(json));
            return Ok(new(mask, background.map(BackgroundSource::Reference), fields));
        }
        let is_array = is_json && start == Some(b'[');
        let is_binary = !matches!(ArrayFormat::detect(&bytes), None | Some(ArrayFormat::Csv | ArrayFormat::Json));
        let is_known_by_content = is_untyped && (is_binary || bytes.starts_with(b"\xff\xd8\xff"));
        if !is_array && !is_known_by_content && !kind.accepts(&media_type) {
            let why = format!("`{media_type}` is unsupported; send multipart/form-data, or {}", kind.accepted());
            return Err(Problem::media_type(why));
        }
        if bytes.is_empty() {
            return Err(Problem::body("the body is empty"));
        }
        Ok(match kind {
            UploadKind::Mask => new(Some(bytes), None, Fields::default()),
            UploadKind::Background => new(None, Some(BackgroundSource::Image(bytes)), Fields::default()),
        })
    }

    /// The parameters of a set, of the body and else of the query string.
    pub(crate) fn options<S: ParameterSet>(&mut self) -> HttpResult<S> {
        let query: S = self.query.read()?;
        Ok(self.body.read::<S>()?.over(query))
    }

    /// How the array is read.
    pub(crate) fn read_options(&mut self, app: &App) -> HttpResult<ReadArrayOptions> {
        let ReadMaskOptions { member, channels_first } = self.options()?;
        let limits = &app.config.limits;
        let limits = Limits {
            max_cells: usize::try_from(limits.mask_cells).unwrap_or(usize::MAX),
            max_bytes: usize::try_from(limits.mask_body.bytes()).unwrap_or(usize::MAX),
        };
        Ok(ReadArrayOptions { format: None, member, channels_first: channels_first.unwrap_or(false), limits })
    }

    /// Rejects parameters that no set has.
    pub(crate) fn finish(self) -> HttpResult<UploadedFiles> {
        let Self { mask, background, body, query, permit } = self;
        body.finish()?;
        query.finish()?;
        Ok(UploadedFiles { mask, background, permit })
    }
}

/// Receives a body, of which what exceeds a megabyte waits in a file: a client that sends slowly takes no permit.
async fn collect(app: &App, mut body: Body) -> HttpResult<Spool> {
    let max_bytes = app.config.limits.mask_body.bytes();
    let mut spool = Spool::new(&app.config.masks.folder);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Problem::body(format!("the body ended early: {error}")))?;
        let data = frame.into_data().unwrap_or_default();
        if spool.len() + data.len() as u64 > max_bytes {
            let why = format!("the body exceeds {max_bytes} bytes");
            return Err(Problem::too_large("limits.mask_body", why));
        }
        spool.push(&data).await?;
    }
    Ok(spool)
}

/// The fields of a form.
#[derive(Debug, Default)]
struct Form {
    mask: Option<Bytes>,
    background: Option<BackgroundSource>,
    texts: Vec<(String, String)>,
}

impl Form {
    async fn read(headers: &HeaderMap, bytes: Bytes) -> HttpResult<Self> {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let boundary = multer::parse_boundary(content_type);
        let boundary = boundary.map_err(|_| Problem::body("the Content-Type of a form has no boundary"))?;
        let broken = |error: multer::Error| Problem::body(format!("the form cannot be read: {error}"));
        // The body is in memory as a whole: in chunks, `multer` would search it again with each of them.
        let stream = Body::from(bytes).into_data_stream();
        let mut fields = Multipart::with_constraints(stream, boundary, Constraints::new());
        let mut form = Self::default();
        while let Some(field) = fields.next_field().await.map_err(broken)? {
            form.add(field).await?;
        }
        Ok(form)
    }

    async fn add(&mut self, field: Field<'static>) -> HttpResult<()> {
        let name = field.name().unwrap_or_default().to_owned();
        let is_file =
            field.file_name().is_some() || !["", "text/plain"].contains(&media_type(field.headers()).as_str());
        let bytes = field.bytes().await.map_err(|error| Problem::body(format!("the form cannot be read: {error}")))?;
        let twice = || Err(Problem::parameter(&name, "it is given twice"));
        match name.as_str() {
            "mask" if self.mask.is_some() => return twice(),
            "background" if self.background.is_some() => return twice(),
            "mask" => self.mask = Some(bytes),
            "background" if is_file => self.background = Some(BackgroundSource::Image(bytes)),
            _ if is_file => {
                return Err(Problem::parameter(&name, "no such file; the files of a form are mask and background"));
            }
            _ => {
                const MAX_BYTES: usize = 8192;
                if bytes.len() > MAX_BYTES {
                    return Err(Problem::parameter(&name, format!("it is longer than {MAX_BYTES} bytes")));
                }
                let text = String::from_utf8(bytes.into()).map_err(|_| Problem::parameter(&name, "it is not UTF-8"))?;
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
