//! Secrets that hold the token of a ServiceAccount: filled in when they are made, gone with the
//! account.

use manifest::Object;
use yaml::{Map, Value};

use super::control::Context;
use super::fields::{flag, map, text};
use super::kind::Kind;
use super::world::{Change, Ref, World};
use super::write::{Deletion, Outcome, Write, delete};

/// The type of such Secrets.
const TYPE: &str = "kubernetes.io/service-account-token";
/// The account that a Secret is for, by name and by uid.
const ACCOUNT: &str = "kubernetes.io/service-account.name";
const ACCOUNT_UID: &str = "kubernetes.io/service-account.uid";

fn is_token(secret: &Object) -> bool {
    text(secret.value(), &["type"]) == TYPE
}

/// Secrets of that type, and those of an account that came or went.
pub(crate) fn affected(world: &World, change: &Change, keys: &mut Vec<Ref>) {
    let target = &change.target;
    match target.kind {
        Kind::SECRET if change.new.as_ref().is_some_and(is_token) => keys.push(target.clone()),
        Kind::SERVICE_ACCOUNT => keys.extend(
            world
                .list(Kind::SECRET, &target.namespace)
                .filter(|secret| is_token(secret))
                .filter(|secret| secret.annotation(ACCOUNT) == Some(target.name.as_str()))
                .map(|secret| Ref::of(Kind::SECRET, secret)),
        ),
        _ => {}
    }
}

/// Gives a Secret what it lacks; one whose account is not there goes.
pub(crate) fn reconcile(context: &Context<'_>, target: &Ref) -> Outcome {
    let Some(secret) =
        (context.world.get(target)).filter(|secret| is_token(secret) && !secret.is_terminating())
    else {
        return Outcome::nothing();
    };
    let name = secret.annotation(ACCOUNT).unwrap_or_default();
    let account = context
        .world
        .find(Kind::SERVICE_ACCOUNT, &target.namespace, name)
        .filter(|account| {
            let uid = secret.annotation(ACCOUNT_UID).unwrap_or_default();
            uid.is_empty() || uid == account.uid()
        });
    let Some(account) = account else {
        return Outcome::from(vec![delete(Kind::SECRET, secret, Deletion::Background)]);
    };
    Outcome::from(Vec::from_iter(complete(context, secret, account)))
}

/// What a Secret lacks, with its token if that is among it.
fn complete(context: &Context<'_>, secret: &Object, account: &Object) -> Option<Write> {
    let lacks = |key: &str| !flag(secret.value(), &["data", key]);
    let mut texts = Map::new();
    if lacks("ca.crt") && !context.settings.root_ca.is_empty() {
        texts.insert("ca.crt", context.settings.root_ca.clone());
    }
    if lacks("namespace") {
        texts.insert("namespace", secret.namespace());
    }
    let token = lacks("token");
    if texts.is_empty() && !token && secret.annotation(ACCOUNT_UID).is_some() {
        return None;
    }
    let annotations = map([(ACCOUNT_UID, account.uid().into())]);
    Some(Write::Token {
        secret: Ref::of(Kind::SECRET, secret),
        account: token.then(|| Ref::of(Kind::SERVICE_ACCOUNT, account)),
        body: map([
            (
                "metadata",
                map([("uid", secret.uid().into()), ("annotations", annotations)]),
            ),
            ("stringData", Value::Map(texts)),
        ]),
    })
}
