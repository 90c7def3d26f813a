//! Profiles of the AWS command line: `~/.aws/credentials` and `~/.aws/config`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::settings::Environment;

/// A profile with keys.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) name: String,
    /// The access key and its secret, if the profile has them.
    pub(crate) keys: Option<(String, String)>,
    pub(crate) token: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) endpoint: Option<String>,
}

impl Profile {
    /// The profile that `AWS_PROFILE` names, or `default`; `None` if there are no files of profiles, or no default.
    ///
    /// # Errors
    /// A message if the named profile does not exist, or has credentials of an unsupported kind.
    pub(crate) fn of(environment: &Environment) -> Result<Option<Self>, String> {
        let named = environment.get("AWS_PROFILE").or_else(|| environment.get("AWS_DEFAULT_PROFILE"));
        let name = named.unwrap_or("default");
        let home = environment.get("HOME").or_else(|| environment.get("USERPROFILE"));
        let file = |variable: &str, name: &str| {
            let given = environment.get(variable).map(PathBuf::from);
            given.or_else(|| Some(Path::new(home?).join(".aws").join(name)))
        };
        let read = |path: Option<PathBuf>| path.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        let credentials = read(file("AWS_SHARED_CREDENTIALS_FILE", "credentials"));
        let config = read(file("AWS_CONFIG_FILE", "config"));
        let mut values = section(&config, &|header| header == format!("profile {name}") || header == name);
        // The file of credentials takes precedence.
        values.extend(section(&credentials, &|header| header == name));
        if values.is_empty() {
            return match named {
                Some(name) => Err(format!(
                    "AWS_PROFILE names the profile {name:?}, which neither ~/.aws/credentials nor ~/.aws/config has"
                )),
                None => Ok(None),
            };
        }
        let get = |key: &str| values.get(key).filter(|value| !value.is_empty()).cloned();
        let keys = get("aws_access_key_id").zip(get("aws_secret_access_key"));
        let unsupported = ["sso_session", "sso_start_url", "credential_process", "role_arn"];
        if let (None, Some(kind)) = (&keys, unsupported.iter().find(|kind| values.contains_key(**kind))) {
            return Err(format!(
                "the profile {name:?} has its credentials by {kind}, which is not supported; export them with `eval \"$(aws \
                 configure export-credentials --profile {name} --format env)\"`"
            ));
        }
        Ok(Some(Self {
            name: name.to_owned(),
            keys,
            token: get("aws_session_token"),
            region: get("region"),
            endpoint: get("endpoint_url"),
        }))
    }
}

/// The keys and values of the sections whose header is selected.
fn section(text: &str, is_selected: &dyn Fn(&str) -> bool) -> BTreeMap<String, String> {
    let (mut values, mut selected) = (BTreeMap::new(), false);
    for line in text.lines() {
        let is_nested = line.starts_with([' ', '\t']);
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[').and_then(|header| header.strip_suffix(']')) {
            selected = is_selected(header.split_whitespace().collect::<Vec<_>>().join(" ").as_str());
        } else if let (true, false, Some((key, value))) = (selected, is_nested, line.split_once('='))
            && !line.starts_with(['#', ';'])
        {
            values.insert(key.trim().to_ascii_lowercase(), value.trim().to_owned());
        }
    }
    values
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn environment(folder: &tempfile::TempDir, more: &[(&str, &str)]) -> Environment {
        let home = ("HOME", folder.path().to_str().unwrap());
        more.iter().copied().chain([home]).collect()
    }

    #[test]
    fn profiles_have_keys_a_region_and_an_endpoint() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Profile::of(&environment(&folder, &[])).unwrap().is_none());
        fs::create_dir(folder.path().join(".aws")).unwrap();
        let credentials = "# of ann\n[default]\naws_access_key_id = AK\naws_secret_access_key=SK=\n\n[lake]\naws_access_key_id=LK\n\
                           aws_secret_access_key=LS\naws_session_token=LT\n";
        fs::write(folder.path().join(".aws/credentials"), credentials).unwrap();
        let config = "[default]\nregion = eu-west-1\ns3 =\n  endpoint_url = nested\n[profile lake]\nendpoint_url=http://h:1\n\
                      region=us-west-2\n[profile sso]\nsso_session = x\n";
        fs::write(folder.path().join(".aws/config"), config).unwrap();
        let profile = Profile::of(&environment(&folder, &[])).unwrap().unwrap();
        assert_eq!(profile.keys, Some(("AK".into(), "SK=".into())));
        assert_eq!((profile.region.as_deref(), profile.endpoint), (Some("eu-west-1"), None));
        let lake = Profile::of(&environment(&folder, &[("AWS_PROFILE", "lake")])).unwrap().unwrap();
        assert_eq!((lake.token.as_deref(), lake.endpoint.as_deref()), (Some("LT"), Some("http://h:1")));
        let missing = Profile::of(&environment(&folder, &[("AWS_PROFILE", "none")])).err().unwrap();
        assert!(missing.contains("\"none\""), "{missing}");
        let sso = Profile::of(&environment(&folder, &[("AWS_PROFILE", "sso")])).err().unwrap();
        assert!(sso.contains("sso_session") && sso.contains("export-credentials"), "{sso}");
    }
}
