//! Who a request comes from: the bearer token, and impersonation by the administrator.

use http::HeaderMap;
use sha2::{Digest, Sha256};

use crate::request::User;
use crate::status_error::ApiError;

/// The tokens that are known.
#[derive(Clone)]
pub(crate) struct Tokens {
    admin: [u8; 32],
}

impl Tokens {
    pub(crate) fn new(admin: &str) -> Self {
        Tokens {
            admin: Sha256::digest(admin).into(),
        }
    }

    /// The user of a request.
    ///
    /// # Errors
    /// 401 without a known token.
    pub(crate) fn user(&self, headers: &HeaderMap) -> Result<User, ApiError> {
        let header = headers
            .get(http::header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let token = header
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(ApiError::unauthorized)?;
        // Hashes are compared, so the time tells nothing of the token.
        let hash: [u8; 32] = Sha256::digest(token).into();
        if hash != self.admin {
            return Err(ApiError::unauthorized());
        }
        Ok(impersonated(headers))
    }
}

/// The administrator, or whom he acts for.
pub(crate) fn impersonated(headers: &HeaderMap) -> User {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(name) = text("impersonate-user") else {
        return User::admin();
    };
    let mut groups: Vec<String> = headers
        .get_all("impersonate-group")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .map(str::to_owned)
        .collect();
    if !groups.iter().any(|group| group == "system:authenticated") {
        groups.push("system:authenticated".to_owned());
    }
    User {
        name: name.to_owned(),
        uid: text("impersonate-uid").unwrap_or_default().to_owned(),
        groups,
    }
}
