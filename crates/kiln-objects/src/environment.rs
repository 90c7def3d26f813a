//! Clients of buckets, with the credentials of the environment.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::{BackoffConfig, RetryConfig};

use crate::cloud_host::{Cloud, cloud_of_machine};
use crate::profile::Profile;
use crate::settings::{Environment, Settings};
use crate::store::Bucket;
use crate::transport::Transport;
use crate::url::{ObjectUrl, Scheme};

/// Where the credentials of a client are from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// There are none; the names of the variables that would set them.
    Anonymous(&'static str),
    /// The name of a variable, file or profile, or the machine.
    From(String),
}

const AWS_VARIABLES: &str = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE";
const GOOGLE_VARIABLES: &str = "GOOGLE_APPLICATION_CREDENTIALS or GOOGLE_SERVICE_ACCOUNT";
const AZURE_VARIABLES: &str = "AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_CLIENT_ID";
const MACHINE: &str = "the role of this machine";

/// The retries of requests.
pub(crate) fn retry(settings: &Settings, scheme: Scheme) -> RetryConfig {
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(100), max_backoff: Duration::from_secs(5), base: 2.0 };
    // No attempt starts after two responses that did not arrive.
    let retry_timeout = 2 * settings.response_timeout(scheme);
    RetryConfig { backoff, max_retries: settings.attempts() - 1, retry_timeout }
}

/// The client of a bucket of S3.
///
/// # Errors
/// A message without secrets, if the environment is invalid.
pub(crate) fn s3(url: &ObjectUrl, settings: &Settings, transport: &Transport) -> Result<(Bucket, Credentials), String> {
    let environment = &settings.environment;
    let mut builder = AmazonS3Builder::new();
    for (name, value) in environment.with_prefix("AWS_") {
        match name.to_ascii_lowercase().parse() {
            Ok(AmazonS3ConfigKey::Client(_) | AmazonS3ConfigKey::Bucket) | Err(_) => {}
            Ok(key) => builder = builder.with_config(key, value),
        }
    }
    let is_given = |name: &str| environment.get(name).is_some();
    let mut region = environment.get("AWS_REGION").or_else(|| environment.get("AWS_DEFAULT_REGION")).map(str::to_owned);
    let has_endpoint = ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"].iter().any(|name| is_given(name));
    let has_keys = is_given("AWS_ACCESS_KEY_ID") || is_given("AWS_SECRET_ACCESS_KEY");
    let is_in_container =
        is_given("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || is_given("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let profile = if has_keys { None } else { Profile::of(environment)? };
    let is_anonymous = environment.is_set("AWS_SKIP_SIGNATURE");
    let mut credentials = if is_anonymous {
        Some(Credentials::Anonymous(AWS_VARIABLES))
    } else if has_keys {
        Some(Credentials::From("AWS_ACCESS_KEY_ID".to_owned()))
    } else if is_given("AWS_WEB_IDENTITY_TOKEN_FILE") && is_given("AWS_ROLE_ARN") {
        Some(Credentials::From("AWS_WEB_IDENTITY_TOKEN_FILE".to_owned()))
    } else {
        None
    };
    if let Some(profile) = profile {
        region = region.or(profile.region);
        if let (false, Some(endpoint)) = (has_endpoint, profile.endpoint) {
            builder = builder.with_endpoint(endpoint);
        }
        if let (None, Some((key, secret))) = (&credentials, profile.keys) {
            credentials = Some(Credentials::From(format!("the profile {}", profile.name)));
            builder = builder.with_access_key_id(key).with_secret_access_key(secret);
            if let Some(token) = profile.token {
                builder = builder.with_token(token);
            }
        }
    }
    let is_machine = || !environment.is_set("AWS_EC2_METADATA_DISABLED") && cloud_of_machine() == Some(Cloud::Aws);
    let credentials = credentials.unwrap_or_else(|| {
        let has_role = is_in_container || is_given("AWS_METADATA_ENDPOINT") || is_machine();
        if has_role { Credentials::From(MACHINE.to_owned()) } else { Credentials::Anonymous(AWS_VARIABLES) }
    });
    let is_anonymous = matches!(credentials, Credentials::Anonymous(_));
    if let Some(region) = region {
        builder = builder.with_region(region);
    }
    let builder = builder.with_bucket_name(url.bucket()).with_skip_signature(is_anonymous).with_allow_http(true);
    let builder = builder.with_retry(retry(settings, Scheme::S3)).with_http_connector(transport.clone());
    let store = builder.build().map_err(|error| invalid(&error, environment))?;
    Ok((Bucket::new(Arc::new(store)), credentials))
}

/// The client of a bucket of Google Cloud Storage.
///
/// # Errors
/// A message without secrets, if the environment is invalid.
pub(crate) fn gs(url: &ObjectUrl, settings: &Settings, transport: &Transport) -> Result<(Bucket, Credentials), String> {
    let environment = &settings.environment;
    let mut builder = GoogleCloudStorageBuilder::new();
    for (name, value) in environment.with_prefix("GOOGLE_") {
        match name.to_ascii_lowercase().parse() {
            Ok(GoogleConfigKey::Client(_) | GoogleConfigKey::Bucket) | Err(_) => {}
            Ok(key) => builder = builder.with_config(key, value),
        }
    }
    if let (Some(host), None) = (environment.get("STORAGE_EMULATOR_HOST"), environment.get("GOOGLE_BASE_URL")) {
        let endpoint = if host.contains("://") { host.to_owned() } else { format!("http://{host}") };
        builder = builder.with_base_url(&endpoint);
    }
    let variables = [
        "GOOGLE_APPLICATION_CREDENTIALS",
        "GOOGLE_SERVICE_ACCOUNT",
        "GOOGLE_SERVICE_ACCOUNT_PATH",
        "GOOGLE_SERVICE_ACCOUNT_KEY",
        "GOOGLE_BEARER_TOKEN",
    ];
    let given = variables.iter().find(|name| environment.get(name).is_some());
    let default_file = || {
        let file =
            std::path::Path::new(environment.get("HOME")?).join(".config/gcloud/application_default_credentials.json");
        file.is_file().then_some("application_default_credentials.json")
    };
    let machine = || (cloud_of_machine() == Some(Cloud::Google)).then_some(MACHINE);
    let is_anonymous = environment.is_set("GOOGLE_SKIP_SIGNATURE");
    let found = given.copied().or_else(default_file).or_else(machine).filter(|_| !is_anonymous);
    let credentials = found.map_or(Credentials::Anonymous(GOOGLE_VARIABLES), |name| Credentials::From(name.to_owned()));
    let builder = builder.with_bucket_name(url.bucket()).with_skip_signature(found.is_none());
    let builder = builder.with_retry(retry(settings, Scheme::Gs)).with_http_connector(transport.clone());
    let store = builder.build().map_err(|error| invalid(&error, environment))?;
    Ok((Bucket::new(Arc::new(store)), credentials))
}

/// The client of a container of Azure.
///
/// # Errors
/// A message without secrets, if the environment is invalid.
pub(crate) fn azure(
    url: &ObjectUrl,
    settings: &Settings,
    transport: &Transport,
) -> Result<(Bucket, Credentials), String> {
    let environment = &settings.environment;
    let mut builder = MicrosoftAzureBuilder::new();
    let mut given = Vec::new();
    let connection = environment.get("AZURE_STORAGE_CONNECTION_STRING").map(connection_string).unwrap_or_default();
    // The names of the command line of Azure.
    let aliases =
        [("AZURE_STORAGE_ACCOUNT", "azure_storage_account_name"), ("AZURE_STORAGE_KEY", "azure_storage_account_key")];
    let aliases = aliases.iter().filter_map(|(name, key)| Some((*key, environment.get(name)?)));
    let variables = environment.with_prefix("AZURE_").map(|(name, value)| (name.to_ascii_lowercase(), value));
    let all = connection.iter().copied().chain(aliases).map(|(key, value)| (key.to_owned(), value)).chain(variables);
    for (name, value) in all {
        match name.parse() {
            Ok(AzureConfigKey::Client(_) | AzureConfigKey::ContainerName) | Err(_) => {}
            Ok(key) => {
                builder = builder.with_config(key, value);
                given.push(key);
            }
        }
    }
    if let Some(account) = url.account() {
        builder = builder.with_account(account);
        given.push(AzureConfigKey::AccountName);
    }
    if !given.iter().any(|key| matches!(key, AzureConfigKey::AccountName | AzureConfigKey::UseEmulator)) {
        let detail = "the account is missing; set AZURE_STORAGE_ACCOUNT_NAME, or write abfss://container@account.dfs.core.windows.net/key";
        return Err(detail.to_owned());
    }
    let is_secret = |key: &&AzureConfigKey| {
        use AzureConfigKey::{
            AccessKey, ClientSecret, FederatedTokenFile, MsiEndpoint, SasKey, Token, UseAzureCli, UseEmulator,
        };
        matches!(
            key,
            AccessKey | SasKey | Token | ClientSecret | FederatedTokenFile | MsiEndpoint | UseAzureCli | UseEmulator
        )
    };
    let found = given.iter().find(is_secret).map(|key| key.as_ref().to_ascii_uppercase());
    let machine = || (cloud_of_machine() == Some(Cloud::Azure)).then(|| MACHINE.to_owned());
    let found = found.or_else(machine).filter(|_| !environment.is_set("AZURE_SKIP_SIGNATURE"));
    let is_anonymous = found.is_none();
    let credentials = found.map_or(Credentials::Anonymous(AZURE_VARIABLES), Credentials::From);
    let builder = builder.with_container_name(url.bucket()).with_skip_signature(is_anonymous).with_allow_http(true);
    let builder = builder.with_retry(retry(settings, Scheme::Azure)).with_http_connector(transport.clone());
    let store = builder.build().map_err(|error| invalid(&error, environment))?;
    Ok((Bucket::new(Arc::new(store)), credentials))
}

/// The parts of a connection string of Azure, by the names of their variables in lower case.
fn connection_string(text: &str) -> Vec<(&'static str, &str)> {
    let names = [
        ("AccountName", "azure_storage_account_name"),
        ("AccountKey", "azure_storage_account_key"),
        ("SharedAccessSignature", "azure_storage_sas_token"),
        ("BlobEndpoint", "azure_storage_endpoint"),
    ];
    let pairs = text.split(';').filter_map(|pair| pair.split_once('='));
    let named = |(name, value): (&str, _)| Some((names.iter().find(|(known, _)| *known == name.trim())?.1, value));
    pairs.filter_map(named).collect()
}

/// The message of an invalid environment, without the values of its variables.
fn invalid(error: &object_store::Error, environment: &Environment) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    let mut reason = cause.to_string().lines().next().unwrap_or_default().to_owned();
    let secrets = ["AWS_", "AZURE_", "GOOGLE_"].into_iter().flat_map(|prefix| environment.with_prefix(prefix));
    let is_path = |value: &str| value.starts_with(['/', '.', '~']);
    for (_, value) in secrets.filter(|(_, value)| value.len() > 3 && !is_path(value)) {
        reason = reason.replace(value, "…");
    }
    format!("the settings in the environment are invalid: {reason}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Settings {
        Settings::new(variables.iter().copied().collect())
    }

    fn credentials_of(url: &str, variables: &[(&str, &str)]) -> Result<Credentials, String> {
        let (settings, url): (Settings, ObjectUrl) = (settings(variables), url.parse().unwrap());
        let transport = Transport::for_buckets(Duration::from_secs(1), Duration::from_secs(1));
        let open = match url.scheme() {
            Scheme::S3 => s3,
            Scheme::Gs => gs,
            _ => azure,
        };
        open(&url, &settings, &transport).map(|(_, credentials)| credentials)
    }

    #[test]
    fn credentials_are_those_of_the_environment_or_none() {
        let from = |name: &str| Ok(Credentials::From(name.to_owned()));
        let keys = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "s3cret")];
        assert_eq!(credentials_of("s3://maps/a", &keys), from("AWS_ACCESS_KEY_ID"));
        assert_eq!(credentials_of("s3://maps/a", &[]), Ok(Credentials::Anonymous(AWS_VARIABLES)));
        let skipped = [keys[0], keys[1], ("AWS_SKIP_SIGNATURE", "true")];
        assert_eq!(credentials_of("s3://maps/a", &skipped), Ok(Credentials::Anonymous(AWS_VARIABLES)));
        let identity = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"), ("AWS_ROLE_ARN", "arn:x")];
        assert_eq!(credentials_of("s3://maps/a", &identity), from("AWS_WEB_IDENTITY_TOKEN_FILE"));
        let container = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x")];
        assert_eq!(credentials_of("s3://maps/a", &container), from(MACHINE));
        assert_eq!(credentials_of("gs://maps/a", &[]), Ok(Credentials::Anonymous(GOOGLE_VARIABLES)));
        assert_eq!(credentials_of("gs://maps/a", &[("GOOGLE_BEARER_TOKEN", "s3cret")]), from("GOOGLE_BEARER_TOKEN"));
        let account = ("AZURE_STORAGE_ACCOUNT_NAME", "ann");
        assert_eq!(credentials_of("az://maps/a", &[account]), Ok(Credentials::Anonymous(AZURE_VARIABLES)));
        let key = ("AZURE_STORAGE_ACCOUNT_KEY", "c2VjcmV0");
        assert_eq!(credentials_of("az://maps/a", &[account, key]), from("AZURE_STORAGE_ACCOUNT_KEY"));
        let connection = [("AZURE_STORAGE_CONNECTION_STRING", "AccountName=ann;AccountKey=c2VjcmV0;EndpointSuffix=x")];
        assert_eq!(credentials_of("az://maps/a", &connection), from("AZURE_STORAGE_ACCOUNT_KEY"));
        assert_eq!(
            credentials_of("abfss://maps@ann.dfs.core.windows.net/a", &[key]),
            from("AZURE_STORAGE_ACCOUNT_KEY")
        );
    }

    #[test]
    fn an_invalid_environment_is_an_error_without_its_values() {
        for (url, variables) in [
            ("s3://maps/a", &[("AWS_SECRET_ACCESS_KEY", "s3cret")][..]),
            ("s3://maps/a", &[("AWS_IMDSV1_FALLBACK", "s3cret")]),
            ("gs://maps/a", &[("GOOGLE_SERVICE_ACCOUNT_KEY", "s3cret")]),
            ("gs://maps/a", &[("GOOGLE_APPLICATION_CREDENTIALS", "/none/key.json")]),
            ("az://maps/a", &[("AZURE_STORAGE_ACCOUNT_NAME", "ann"), ("AZURE_STORAGE_ACCOUNT_KEY", "s3cret!")]),
            ("az://maps/a", &[]),
        ] {
            let message = credentials_of(url, variables).unwrap_err();
            assert!(message.contains("environment") || message.contains("account is missing"), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
    }
}
