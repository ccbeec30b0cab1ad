//! Requests to answers: synchronous, over the store, with the time as an argument.
//!
//! [`Core::answer`] is the whole API; only watches go on after it has returned.

use std::cell::RefCell;
use std::sync::{Arc, PoisonError, RwLock};

use http::Method;
use jiff::Timestamp;
use manifest::schema::SchemaSet;
use tokio_util::sync::CancellationToken;

use crate::Rbac;
use crate::admission::webhook::Webhooks;
use crate::audit::Audit;
use crate::auth::{Authenticator, Authorizer};
use crate::negotiate::{Form, Kinds, PRODUCED, STREAMED, Shape};
use crate::registry::{Registry, Resource};
use crate::reply::Reply;
use crate::request::{ApiRequest, ResourcePath, Route};
use crate::status_error::{About, ApiError};
use crate::strategy::services;
use crate::{admission, crd, discovery, openapi, table, verbs};
use store::Store;

/// The state of one server.
pub(crate) struct Core {
    pub(crate) store: Store,
    registry: RwLock<Arc<Registry>>,
    /// What is served without any CustomResourceDefinition.
    pub(crate) built_in: Registry,
    pub(crate) openapi: openapi::Documents,
    /// Shapes of the built-in kinds.
    pub(crate) schemas: Arc<SchemaSet>,
    /// Defaults of the built-in kinds.
    /// The functions that rules of custom resources may use.
    pub(crate) rules: cel::Environment,
    /// The resources of definitions as they were read last, by name and revision.
    pub(crate) definitions: crd::Cache,
    /// Admission policies as they were read last.
    pub(crate) policies: admission::Cache,
    /// The webhooks as the configurations say.
    webhooks: RwLock<Arc<Webhooks>>,
    /// Addresses and ports of services.
    pub(crate) allocator: services::Allocator,
    /// What simulated containers printed.
    pub(crate) logs: life::Logs,
    /// Knows the tokens, and signs those of service accounts.
    pub(crate) authenticator: Authenticator,
    /// Decides what users may do.
    pub(crate) authorizer: Authorizer,
    /// Where requests are noted.
    pub(crate) audit: Option<Audit>,
    /// Ends the watches when the server stops.
    pub(crate) stopping: CancellationToken,
}

/// One request on a resource, with everything that the verbs need.
pub(crate) struct Call<'a> {
    pub(crate) core: &'a Core,
    pub(crate) request: &'a ApiRequest,
    pub(crate) resource: Arc<Resource>,
    pub(crate) path: &'a ResourcePath,
    pub(crate) form: Form,
    pub(crate) now: Timestamp,
    /// Who is asked about writes; none on a thread that may not wait.
    pub(crate) webhooks: &'a Webhooks,
    /// What is told even where the request is refused.
    pub(crate) warnings: &'a RefCell<Vec<String>>,
}

impl Core {
    pub(crate) fn new(
        store: Store,
        authenticator: Authenticator,
        rbac: Rbac,
        audit: Option<Audit>,
        stopping: CancellationToken,
    ) -> Self {
        let built_in = Registry::built_in();
        let allocator = services::Allocator::of(&store);
        let rules = structural::environment();
        let webhooks = Webhooks::of(&store, &rules);
        Core {
            webhooks: RwLock::new(Arc::new(webhooks)),
            store,
            registry: RwLock::new(Arc::new(built_in.clone())),
            built_in,
            openapi: openapi::Documents::default(),
            schemas: SchemaSet::builtin(),
            rules,
            definitions: crd::Cache::default(),
            policies: admission::Cache::default(),
            allocator,
            logs: life::Logs::new(),
            authenticator,
            authorizer: Authorizer::new(rbac),
            audit,
            stopping,
        }
    }

    /// What is served now.
    pub(crate) fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Serves something else from now on.
    pub(crate) fn set_registry(&self, registry: Registry) {
        *self
            .registry
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(registry);
    }

    /// The webhooks as they are configured, for a request that may have to wait for them or for
    /// those that convert objects; `None` for one that waits for nobody.
    pub(crate) fn awaited(&self, request: &ApiRequest) -> Option<Arc<Webhooks>> {
        let reads = matches!(request.method, Method::GET | Method::HEAD);
        let webhooks = self.webhooks.read().unwrap_or_else(PoisonError::into_inner);
        let asks = !webhooks.is_empty() && (!reads || request.connects());
        (asks || self.registry().converts).then(|| Arc::clone(&webhooks))
    }

    /// Reads the configurations of webhooks again.
    pub(crate) fn configure_webhooks(&self) {
        let webhooks = Arc::new(Webhooks::of(&self.store, &self.rules));
        let mut known = self
            .webhooks
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *known = webhooks;
    }

    /// Answers one request. With webhooks it may take long: it waits for their answers.
    pub(crate) fn answer(
        &self,
        request: &ApiRequest,
        now: Timestamp,
        webhooks: &Webhooks,
    ) -> Reply {
        let warnings = RefCell::default();
        let outside = (webhooks, &warnings);
        let reply = self.try_answer(request, now, outside);
        let mut reply = reply.unwrap_or_else(Reply::from);
        for warning in warnings.into_inner() {
            // Nothing is told twice.
            if !reply.warnings.contains(&warning) {
                reply.warnings.push(warning);
            }
        }
        reply
    }

    fn try_answer(
        &self,
        request: &ApiRequest,
        now: Timestamp,
        outside: (&Webhooks, &RefCell<Vec<String>>),
    ) -> Result<Reply, ApiError> {
        let registry = self.registry();
        let route = Route::parse(&request.path);
        self.authorizer
            .check_request(&self.store, request, &route)?;
        match &route {
            Route::Resource(path) => {
                return self.resource(&registry, request, path, (now, outside));
            }
            Route::Unknown => return Ok(Reply::page_not_found()),
            // These answer whatever the method is.
            Route::Health | Route::Metrics | Route::Group(_) | Route::OpenApiV2 => {}
            _ if request.method != Method::GET => return Err(ApiError::method_not_allowed()),
            _ => {}
        }
        match route {
            Route::Health => Ok(discovery::health(request)),
            Route::Metrics => Ok(discovery::metrics()),
            Route::OpenId => Ok(discovery::openid(request)),
            Route::Keys => Ok(discovery::keys(self.authenticator.signer())),
            Route::Version => Ok(discovery::version()),
            Route::Root => Ok(discovery::root(&registry)),
            Route::Core => discovery::core(&registry, request),
            Route::Groups => discovery::groups(&registry, request),
            Route::Group(group) => discovery::group(&registry, request, &group),
            Route::GroupVersion(group, version) => {
                discovery::resources(&registry, request, &group, &version)
            }
            Route::OpenApiV2 => Ok(self.openapi.v2(request)),
            Route::OpenApiV3 => Ok(self.openapi.v3_index(&registry)),
            Route::OpenApiV3Document(path) => Ok(self.openapi.v3(&registry, &path)),
            Route::Resource(_) | Route::Unknown => Ok(Reply::page_not_found()),
        }
    }

    fn resource(
        &self,
        registry: &Registry,
        request: &ApiRequest,
        path: &ResourcePath,
        (now, (webhooks, warnings)): (Timestamp, (&Webhooks, &RefCell<Vec<String>>)),
    ) -> Result<Reply, ApiError> {
        let found = registry.resource(&path.group, &path.version, &path.plural);
        let Some(resource) = found else {
            return if registry.group(&path.group).is_some() {
                Err(ApiError::no_resource())
            } else {
                Ok(Reply::page_not_found())
            };
        };
        let is_collection = path.name.is_none();
        let kinds = match resource.custom {
            Some(_) => Kinds::Custom,
            None if is_answered_only(path) => Kinds::Answered,
            None => Kinds::BuiltIn,
        };
        let form = Form::accept(request.header("accept"), kinds).map_err(|refusal| {
            let mut produced = PRODUCED.to_vec();
            if is_collection {
                produced.extend(STREAMED);
            }
            refusal.error(&produced)
        })?;
        if form.shape == Shape::Table {
            table::check_options(request)?;
        }
        let call = Call {
            core: self,
            request,
            resource: Arc::clone(resource),
            path,
            form,
            now,
            webhooks,
            warnings,
        };
        let mut reply = verbs::answer(&call).unwrap_or_else(Reply::from);
        reply.media = Some(form.media);
        if let Some(warning) = deprecation(resource) {
            reply.warnings.insert(0, warning.to_owned());
        }
        Ok(reply)
    }
}

/// Whether a path is only posted to, and what is posted there is kept nowhere.
fn is_answered_only(path: &ResourcePath) -> bool {
    let is_posted = |name: &str| matches!(name, "token" | "eviction" | "binding");
    path.subresource.as_deref().is_some_and(is_posted)
        || matches!(
            (path.group.as_str(), path.plural.as_str()),
            ("authentication.k8s.io" | "authorization.k8s.io", _) | ("", "bindings")
        )
}

/// What clients are told about a version that will go.
fn deprecation(resource: &Resource) -> Option<&'static str> {
    match (resource.group.as_str(), resource.plural.as_str()) {
        ("", "endpoints") => {
            Some("v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice")
        }
        ("", "componentstatuses") => Some("v1 ComponentStatus is deprecated in v1.19+"),
        _ => None,
    }
}

impl Call<'_> {
    /// Tells the client something, whatever becomes of its request.
    pub(crate) fn warn(&self, warnings: Vec<String>) {
        self.warnings.borrow_mut().extend(warnings);
    }

    /// The namespace of the path; empty for cluster-scoped objects and for all namespaces.
    pub(crate) fn namespace(&self) -> &str {
        self.path.namespace.as_deref().unwrap_or_default()
    }

    /// The name in the path; empty for collections.
    pub(crate) fn name(&self) -> &str {
        self.path.name.as_deref().unwrap_or_default()
    }

    pub(crate) fn subresource(&self) -> Option<&str> {
        self.path.subresource.as_deref()
    }

    /// What a message about an object of this resource names: its plural.
    pub(crate) fn about<'n>(&'n self, name: &'n str) -> About<'n> {
        About {
            group: &self.resource.group,
            kind: &self.resource.plural,
            name,
        }
    }

    /// What a message about a wrong object of this resource names: its kind.
    pub(crate) fn about_kind<'n>(&'n self, name: &'n str) -> About<'n> {
        About {
            group: self.resource.handle().told_group(),
            kind: &self.resource.kind,
            name,
        }
    }

    /// Whether nothing is to be written.
    pub(crate) fn dry_run(&self) -> bool {
        self.request.query.all("dryRun").any(|value| value == "All")
    }
}
