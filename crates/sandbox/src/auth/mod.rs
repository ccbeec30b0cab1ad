//! Who a request comes from, and what that user may do.
//!
//! [`Authenticator`] knows the tokens; [`Authorizer`] decides. Neither knows what a request does
//! once it is let in. Tokens are never printed.

pub(crate) mod attributes;
pub(crate) mod escalation;
pub(crate) mod impersonation;
pub(crate) mod rbac;
pub(crate) mod rules;
pub(crate) mod tokens;

use std::sync::Arc;

use http::HeaderMap;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::Rbac;
use crate::request::{ApiRequest, Route, User};
use crate::status_error::ApiError;
use attributes::Attributes;
use rbac::{Decision, Policy};
use store::Store;
use tokens::{Signer, Unknown};

/// Who belongs to this group may do everything, whatever roles say.
pub(crate) const MASTERS: &str = "system:masters";

/// The user name of a service account.
pub(crate) fn service_account_name(namespace: &str, name: &str) -> String {
    format!("system:serviceaccount:{namespace}:{name}")
}

/// The tokens that are known: the administrator's, and those of service accounts.
#[derive(Clone)]
pub(crate) struct Authenticator {
    admin: [u8; 32],
    signer: Arc<Signer>,
}

impl Authenticator {
    pub(crate) fn new(admin: &str, signer: Signer) -> Self {
        Authenticator {
            admin: Sha256::digest(admin).into(),
            signer: Arc::new(signer),
        }
    }

    /// Who signs the tokens of service accounts.
    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// The user of the bearer token in `headers`.
    ///
    /// # Errors
    /// 401 without a known token.
    pub(crate) fn user(
        &self,
        headers: &HeaderMap,
        store: &Store,
        now: Timestamp,
    ) -> Result<User, ApiError> {
        let header = headers
            .get(http::header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let token = header
            .split_once(' ')
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(ApiError::unauthorized)?;
        let audiences = [tokens::ISSUER.to_owned()];
        self.known(token, &audiences, store, now)
            .map_err(|_unknown| ApiError::unauthorized())
    }

    /// The user of a token that is meant for one of `audiences`.
    ///
    /// # Errors
    /// [`Unknown`] when it is nobody's, or meant for others.
    pub(crate) fn known(
        &self,
        token: &str,
        audiences: &[String],
        store: &Store,
        now: Timestamp,
    ) -> Result<User, Unknown> {
        // Hashes are compared, so the time tells nothing of the token.
        let hash: [u8; 32] = Sha256::digest(token).into();
        if hash == self.admin {
            return Ok(User::admin());
        }
        self.signer.verify(token, audiences, store, now)
    }
}

/// Decides what users may do.
pub(crate) struct Authorizer {
    mode: Rbac,
    cache: rbac::Cache,
}

impl Authorizer {
    pub(crate) fn new(mode: Rbac) -> Self {
        Authorizer {
            mode,
            cache: rbac::Cache::default(),
        }
    }

    /// A role or binding was written.
    pub(crate) fn changed(&self) {
        self.cache.changed();
    }

    /// Roles and bindings as they are now; `None` where everybody may do everything.
    pub(crate) fn policy(&self, store: &Store) -> Option<Arc<Policy>> {
        (self.mode == Rbac::On).then(|| self.cache.policy(store))
    }

    /// Whether a user may do something.
    pub(crate) fn decide(&self, store: &Store, user: &User, action: &Attributes) -> Decision {
        let allowed = Decision {
            allowed: true,
            reason: String::new(),
        };
        if user.groups.iter().any(|group| group == MASTERS) {
            return allowed;
        }
        match self.policy(store) {
            Some(policy) => policy.decide(user, action),
            None => allowed,
        }
    }

    /// Lets an action pass or not.
    ///
    /// # Errors
    /// 403 when the user may not do it.
    pub(crate) fn check(
        &self,
        store: &Store,
        user: &User,
        action: &Attributes,
    ) -> Result<(), ApiError> {
        let decision = self.decide(store, user, action);
        if decision.allowed {
            return Ok(());
        }
        Err(action.forbidden(&user.name, &decision.reason))
    }

    /// Lets a request pass or not.
    ///
    /// # Errors
    /// 403 when its user may not do what it asks for.
    pub(crate) fn check_request(
        &self,
        store: &Store,
        request: &ApiRequest,
        route: &Route,
    ) -> Result<(), ApiError> {
        if self.mode == Rbac::Off {
            return Ok(());
        }
        self.check(store, &request.user, &Attributes::of(request, route))
    }
}
