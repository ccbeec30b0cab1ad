//! Tokens of service accounts: JSON Web Tokens that this server signs and knows again.
//!
//! Signed with ECDSA over P-256 (`ES256`), by a key that is kept beside the certificate authority.

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::Timestamp;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair,
    UnparsedPublicKey,
};
use sha2::{Digest, Sha256};
use yaml::{Map, Value};

use crate::request::User;
use crate::{Error, codec, meta, tls};
use store::{Collection, Store};

/// Who signs, and for whom a token is unless it says otherwise.
pub(crate) const ISSUER: &str = "https://kubernetes.default.svc";
const KEY: &str = "sa.key";
/// A token that is longer is none of ours.
const MAX_TOKEN: usize = 16 * 1024;
const CREDENTIAL: &str = "authentication.kubernetes.io/credential-id";

/// Why a token is not accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unknown {
    /// Nobody's, expired, or of an account that is gone.
    Invalid,
    /// Meant for these audiences.
    OtherAudience(Vec<String>),
}

/// An object that a token dies with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) uid: String,
}

/// What a new token says.
pub(crate) struct Claims<'a> {
    pub(crate) namespace: &'a str,
    pub(crate) account: &'a str,
    pub(crate) uid: &'a str,
    pub(crate) audiences: &'a [String],
    pub(crate) bound: Option<&'a Bound>,
    pub(crate) issued: i64,
    pub(crate) expires: i64,
}

/// The key that signs tokens.
pub(crate) struct Signer {
    key: EcdsaKeyPair,
    id: String,
    random: SystemRandom,
}

impl Signer {
    /// A new one, kept nowhere.
    pub(crate) fn generate() -> Result<Self, Error> {
        Self::of(&new_key()?)
    }

    /// The one in `dir`, made when absent. Its file is private.
    pub(crate) fn open(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(KEY);
        if !path.exists() {
            let key = new_key()?;
            tls::write_private(&path, &BASE64_URL_SAFE_NO_PAD.encode(&key))?;
            return Self::of(&key);
        }
        let damaged = || Error::Authority { path: path.clone() };
        let key = BASE64_URL_SAFE_NO_PAD
            .decode(tls::read(&path)?.trim())
            .map_err(|_damaged| damaged())?;
        Self::of(&key).map_err(|_damaged| damaged())
    }

    fn of(pkcs8: &[u8]) -> Result<Self, Error> {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8, &random)
            .map_err(|_rejected| Error::TokenKey)?;
        let id = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(key.public_key()));
        Ok(Signer { key, id, random })
    }

    /// The public key as a JSON Web Key.
    pub(crate) fn jwk(&self) -> Value {
        // An uncompressed point: a marker, then both coordinates of 32 bytes.
        let point = self.key.public_key().as_ref();
        let coordinate = |range| {
            let bytes: &[u8] = point.get(range).unwrap_or_default();
            Value::from(BASE64_URL_SAFE_NO_PAD.encode(bytes))
        };
        Value::Map(Map::from([
            ("use", "sig".into()),
            ("kty", "EC".into()),
            ("kid", self.id.as_str().into()),
            ("crv", "P-256".into()),
            ("alg", "ES256".into()),
            ("x", coordinate(1..33)),
            ("y", coordinate(33..65)),
        ]))
    }

    /// A signed token.
    ///
    /// # Errors
    /// [`Error::TokenKey`] when the system gives no randomness.
    pub(crate) fn sign(&self, claims: &Claims<'_>) -> Result<String, Error> {
        let head = Map::from([("alg", "ES256".into()), ("kid", self.id.as_str().into())]);
        let text = format!("{}.{}", coded(&head.into()), coded(&payload(claims)));
        let signature = self
            .key
            .sign(&self.random, text.as_bytes())
            .map_err(|_unspecified| Error::TokenKey)?;
        Ok(format!(
            "{text}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(signature)
        ))
    }

    /// The user of a token, when it is ours, still good, and meant for one of `audiences`.
    ///
    /// # Errors
    /// [`Unknown`] otherwise.
    pub(crate) fn verify(
        &self,
        token: &str,
        audiences: &[String],
        store: &Store,
        now: Timestamp,
    ) -> Result<User, Unknown> {
        let claims = self.claims(token).ok_or(Unknown::Invalid)?;
        let number = |key: &str| claims.get(key).and_then(Value::as_i64);
        let now = now.as_second();
        if number("exp").is_none_or(|expires| now >= expires)
            || number("nbf").is_some_and(|start| now < start)
        {
            return Err(Unknown::Invalid);
        }
        let meant: Vec<String> = claims
            .get("aud")
            .and_then(Value::as_list)
            .unwrap_or_default()
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        if !meant.iter().any(|audience| audiences.contains(audience)) {
            return Err(Unknown::OtherAudience(meant));
        }
        user(&claims, store).ok_or(Unknown::Invalid)
    }

    fn claims(&self, token: &str) -> Option<Value> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let (text, signature) = token.rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key())
            .verify(text.as_bytes(), &signature)
            .ok()?;
        let (_, payload) = text.split_once('.')?;
        let payload = BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?;
        codec::parse(&payload).ok()
    }
}

fn new_key() -> Result<Vec<u8>, Error> {
    EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
        .map(|document| document.as_ref().to_vec())
        .map_err(|_unspecified| Error::TokenKey)
}

fn coded(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(codec::to_vec(value))
}

fn payload(claims: &Claims<'_>) -> Value {
    let account = Map::from([("name", claims.account.into()), ("uid", claims.uid.into())]);
    let mut place = Map::from([
        ("namespace", claims.namespace.into()),
        ("serviceaccount", account.into()),
    ]);
    if let Some(bound) = claims.bound {
        let reference = Map::from([
            ("name", bound.name.as_str().into()),
            ("uid", bound.uid.as_str().into()),
        ]);
        place.insert(bound.kind.to_lowercase(), reference);
    }
    Value::Map(Map::from([
        ("aud", claims.audiences.to_vec().into()),
        ("exp", claims.expires.into()),
        ("iat", claims.issued.into()),
        ("nbf", claims.issued.into()),
        ("iss", ISSUER.into()),
        ("jti", uuid::Uuid::new_v4().to_string().into()),
        (
            "sub",
            super::service_account_name(claims.namespace, claims.account).into(),
        ),
        ("kubernetes.io", place.into()),
    ]))
}

/// The account of a token, when it and what the token is bound to are still there.
fn user(claims: &Value, store: &Store) -> Option<User> {
    let text = |path: &[&str]| claims.at(path).and_then(Value::as_str);
    let place = claims.get("kubernetes.io")?;
    let namespace = place.get("namespace").and_then(Value::as_str)?;
    let is_there = |key: &str, plural: &str, namespace: &str| -> Option<bool> {
        let reference = place.get(key)?;
        let name = reference.get("name").and_then(Value::as_str)?;
        let stored = store.get(&Collection::new("", plural), namespace, name);
        let uid = reference.get("uid").and_then(Value::as_str);
        Some(stored.is_some_and(|stored| Some(meta::uid(&stored.value())) == uid))
    };
    if is_there("serviceaccount", "serviceaccounts", namespace) != Some(true)
        || is_there("pod", "pods", namespace) == Some(false)
        || is_there("secret", "secrets", namespace) == Some(false)
        || is_there("node", "nodes", "") == Some(false)
    {
        return None;
    }
    let mut extra = vec![(
        CREDENTIAL.to_owned(),
        vec![format!("JTI={}", text(&["jti"]).unwrap_or_default())],
    )];
    for (kind, prefix) in [("node", "node"), ("pod", "pod")] {
        for (key, part) in [("name", "name"), ("uid", "uid")] {
            if let Some(value) = place.at(&[kind, key]).and_then(Value::as_str) {
                let name = format!("authentication.kubernetes.io/{prefix}-{part}");
                extra.push((name, vec![value.to_owned()]));
            }
        }
    }
    extra.sort();
    Some(User {
        name: text(&["sub"])?.to_owned(),
        uid: place.at(&["serviceaccount", "uid"])?.as_str()?.to_owned(),
        groups: vec![
            "system:serviceaccounts".to_owned(),
            format!("system:serviceaccounts:{namespace}"),
            "system:authenticated".to_owned(),
        ],
        extra,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(signer: &Signer, expires: i64) -> String {
        let claims = Claims {
            namespace: "n",
            account: "bot",
            uid: "u-1",
            audiences: &[ISSUER.to_owned()],
            bound: None,
            issued: 100,
            expires,
        };
        signer.sign(&claims).unwrap()
    }

    fn store() -> Store {
        let store = Store::in_memory(16);
        let account = r#"{"metadata":{"name":"bot","namespace":"n","uid":"u-1"}}"#;
        let account = codec::parse(account.as_bytes()).unwrap();
        let accounts = Collection::new("", "serviceaccounts");
        assert!(store.put(&accounts, store::Expect::Absent, account).is_ok());
        store
    }

    fn check(signer: &Signer, token: &str, (now, audience): (i64, &str), want: &str) {
        let now = Timestamp::from_second(now).unwrap();
        let got = match signer.verify(token, &[audience.to_owned()], &store(), now) {
            Ok(user) => user.name,
            Err(unknown) => format!("{unknown:?}"),
        };
        assert_eq!(got, want);
    }

    #[test]
    fn a_token_is_known_until_it_expires_and_only_to_its_audience() {
        let signer = Signer::generate().unwrap();
        let token = token(&signer, 200);
        check(
            &signer,
            &token,
            (150, ISSUER),
            "system:serviceaccount:n:bot",
        );
        check(&signer, &token, (200, ISSUER), "Invalid");
        check(&signer, &token, (50, ISSUER), "Invalid");
        let other = format!("OtherAudience([{ISSUER:?}])");
        check(&signer, &token, (150, "x"), &other);
    }

    #[test]
    fn a_token_that_was_changed_or_signed_by_another_is_not_known() {
        let signer = Signer::generate().unwrap();
        let foreign = token(&Signer::generate().unwrap(), 200);
        check(&signer, &foreign, (150, ISSUER), "Invalid");
        let mut changed = token(&signer, 200);
        changed.insert(40, 'x');
        check(&signer, &changed, (150, ISSUER), "Invalid");
        for text in ["", ".", "..", "a.b.c", &"x".repeat(MAX_TOKEN + 1)] {
            check(&signer, text, (150, ISSUER), "Invalid");
        }
    }

    #[test]
    fn the_key_is_kept_in_the_data_directory() {
        let dir = tempfile::tempdir().unwrap();
        let token = token(&Signer::open(dir.path()).unwrap(), 200);
        let signer = Signer::open(dir.path()).unwrap();
        check(
            &signer,
            &token,
            (150, ISSUER),
            "system:serviceaccount:n:bot",
        );
    }
}
