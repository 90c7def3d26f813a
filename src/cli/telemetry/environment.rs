//! The variables `OTEL_*`. The SDK replaces invalid ones by defaults without a word, so they are checked here.

use std::env;
use std::time::Duration;

use crate::error::{Error, Result};

/// What the exporter needs to know.
#[derive(Debug)]
pub(super) struct Environment {
    /// The variable of the endpoint, for messages.
    pub(super) endpoint_variable: &'static str,
    pub(super) has_tls: bool,
    pub(super) timeout: Duration,
    pub(super) has_service_name: bool,
}

const SAMPLERS: [&str; 6] = [
    "always_on",
    "always_off",
    "traceidratio",
    "parentbased_always_on",
    "parentbased_always_off",
    "parentbased_traceidratio",
];

impl Environment {
    /// The environment of the process; `None` if it has no endpoint, or turns traces off.
    ///
    /// # Errors
    /// [`Error::Config`] if a variable is invalid.
    pub(super) fn read() -> Result<Option<Self>> {
        Self::of(|name| env::var(name).ok().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()))
    }

    fn of(get: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        // The variable of traces takes precedence over that of all signals.
        let first = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, get(name)?)));
        let endpoint = first(["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"]);
        let Some((endpoint_variable, endpoint)) = endpoint else { return Ok(None) };
        if get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        match get("OTEL_TRACES_EXPORTER").as_deref() {
            Some("none") => return Ok(None),
            None | Some("otlp") => {}
            Some(other) => {
                return Err(Error::config(
                    "OTEL_TRACES_EXPORTER",
                    format!("unsupported `{other}`; expected otlp or none"),
                ));
            }
        }
        if let Some((name, other)) = first(["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"])
            && other != "http/protobuf"
        {
            let detail = format!("unsupported `{other}`; expected http/protobuf, usually on port 4318");
            return Err(Error::config(name, detail));
        }
        let has_tls = endpoint.starts_with("https://");
        if !has_tls && !endpoint.starts_with("http://") {
            let detail =
                format!("invalid URL `{endpoint}`; expected http:// or https://, such as http://localhost:4318");
            return Err(Error::config(endpoint_variable, detail));
        }
        check_sampler(get("OTEL_TRACES_SAMPLER").as_deref(), get("OTEL_TRACES_SAMPLER_ARG").as_deref())?;
        let timeout = match first(["OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT"]) {
            None => Duration::from_secs(10),
            Some((name, text)) => {
                let ms = text.parse::<u64>().ok().filter(|ms| *ms > 0);
                let invalid = || Error::config(name, format!("invalid `{text}`; expected milliseconds, such as 10000"));
                Duration::from_millis(ms.ok_or_else(invalid)?)
            }
        };
        let has_service_name = get("OTEL_SERVICE_NAME").is_some()
            || get("OTEL_RESOURCE_ATTRIBUTES").is_some_and(|list| {
                list.split(',').any(|pair| pair.split('=').next().is_some_and(|name| name.trim() == "service.name"))
            });
        Ok(Some(Self { endpoint_variable, has_tls, timeout, has_service_name }))
    }
}

fn check_sampler(sampler: Option<&str>, argument: Option<&str>) -> Result<()> {
    let Some(sampler) = sampler else { return Ok(()) };
    if !SAMPLERS.contains(&sampler) {
        let detail = format!("unknown sampler `{sampler}`; expected {}", SAMPLERS.join(", "));
        return Err(Error::config("OTEL_TRACES_SAMPLER", detail));
    }
    let is_ratio = |text: &str| text.parse().is_ok_and(|ratio: f64| (0.0..=1.0).contains(&ratio));
    match argument {
        Some(text) if sampler.ends_with("traceidratio") && !is_ratio(text) => {
            let detail = format!("invalid ratio `{text}`; expected 0 to 1");
            Err(Error::config("OTEL_TRACES_SAMPLER_ARG", detail))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const ENDPOINT: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318");

    fn of(variables: &[(&str, &str)]) -> Result<Option<Environment>> {
        Environment::of(|name| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn traces_are_on_with_an_endpoint_unless_they_are_turned_off() {
        assert!(of(&[]).unwrap().is_none());
        assert!(of(&[("OTEL_TRACES_SAMPLER", "wrong")]).unwrap().is_none());
        for off in [("OTEL_SDK_DISABLED", "TRUE"), ("OTEL_TRACES_EXPORTER", "none")] {
            assert!(of(&[ENDPOINT, off]).unwrap().is_none(), "{off:?}");
        }
        let plain = of(&[ENDPOINT]).unwrap().unwrap();
        assert_eq!((plain.has_tls, plain.timeout, plain.has_service_name), (false, Duration::from_secs(10), false));
        let both = [ENDPOINT, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://otel.example/v1/traces")];
        let own = of(&both).unwrap().unwrap();
        assert!(own.has_tls && own.endpoint_variable.contains("TRACES"));
        for name in [("OTEL_SERVICE_NAME", "maps"), ("OTEL_RESOURCE_ATTRIBUTES", "a=b,service.name=maps")] {
            assert!(of(&[ENDPOINT, name]).unwrap().unwrap().has_service_name, "{name:?}");
        }
        let slow = of(&[ENDPOINT, ("OTEL_EXPORTER_OTLP_TIMEOUT", "250")]).unwrap().unwrap();
        assert_eq!(slow.timeout, Duration::from_millis(250));
    }

    #[test]
    fn invalid_variables_are_named_with_what_is_expected() {
        for (name, value, expected) in [
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc", "http/protobuf"),
            ("OTEL_TRACES_EXPORTER", "zipkin", "otlp or none"),
            ("OTEL_TRACES_SAMPLER", "sometimes", "always_on"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "10s", "milliseconds"),
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "localhost:4318", "http://"),
        ] {
            let message = of(&[ENDPOINT, (name, value)]).unwrap_err().to_string();
            assert!(message.contains(name) && message.contains(value) && message.contains(expected), "{message}");
        }
        let ratio = [ENDPOINT, ("OTEL_TRACES_SAMPLER", "traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "2")];
        assert!(of(&ratio).unwrap_err().to_string().contains("OTEL_TRACES_SAMPLER_ARG"));
    }
}
