//! Logins of registries as `docker login` and `helm registry login` leave them in a file.
//!
//! Read [`login_for`]. Programs that give credentials (`credHelpers`) are not started.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use yaml::Value;

use crate::{Credentials, Masked};

/// The login for a host (with its port) in the text of a `config.json`; `None` when it has none
/// that can be read.
pub(crate) fn login_for(config: &[u8], host: &str) -> Option<Credentials> {
    let config = yaml::json::parse(config).ok()?;
    let logins = config.get("auths")?.as_map()?;
    let is_host = |name: &str| {
        let name = name.split_once("://").map_or(name, |(_, rest)| rest);
        name.split('/').next() == Some(host)
    };
    let (_, login) = logins.iter().find(|(name, _)| is_host(name))?;
    let text = |key: &str| login.get(key).and_then(Value::as_str).map(str::to_owned);
    let (username, password) = match text("auth").filter(|it| !it.is_empty()) {
        Some(encoded) => {
            let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
            let (user, password) = decoded.split_once(':')?;
            (user.to_owned(), password.trim_end_matches('\0').to_owned())
        }
        None => (text("username")?, text("password")?),
    };
    Some(Credentials {
        username: Some(Masked::new(username)),
        password: Some(Masked::new(password)),
        ..Credentials::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_login_of_a_host_is_found() {
        let config = br#"{"auths": {
            "https://r.example:5000/v2/": {"auth": "dXNlcjpwYTpzcw=="},
            "other.example": {"username": "u", "password": "p"},
            "helper.example": {},
            "broken.example": {"auth": "%%"}}, "credHelpers": {"helper.example": "x"}}"#;
        let check = |host: &str, want: Option<(&str, &str)>| {
            let got = login_for(config, host);
            let text = |it: &Option<Masked>| it.as_ref().map(|it| it.reveal().to_owned());
            let got = got.map(|it| (text(&it.username).unwrap(), text(&it.password).unwrap()));
            let got = got
                .as_ref()
                .map(|(user, word)| (user.as_str(), word.as_str()));
            assert_eq!(got, want, "{host}");
        };
        check("r.example:5000", Some(("user", "pa:ss")));
        check("other.example", Some(("u", "p")));
        check("helper.example", None);
        check("broken.example", None);
        check("r.example", None);
        assert!(login_for(b"no", "r.example").is_none());
    }
}
