//! The charts of one address under one login.
//!
//! Read [`Charts`], then [`ChartRepository`]. Here questions meet the cache: an index is asked for
//! again with its mark (`ETag`), a version that was fetched once is never fetched again.

use std::collections::HashMap;
use std::fmt;
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use manifest::Tree;
use reqwest::header::{ETAG, HeaderMap, HeaderValue, IF_NONE_MATCH};
use reqwest::{StatusCode, Url};

use crate::chart::archive::{Layout, unpack};
use crate::chart::cache::{Cache, Shelf};
use crate::chart::digest::Digest;
use crate::chart::index::{self, Entry};
use crate::chart::oci::{Layer, Manifest, Registry};
use crate::chart::place::Place;
use crate::chart::web::{self, Login, Web};
use crate::chart::{ChartError, ChartProblem, docker};
use crate::constraint::{Range, version};
use crate::store::lock;
use crate::{Credentials, Freshness, Trust};

/// What all files of the cache may have together.
const MAX_CACHE_BYTES: u64 = 2 * 1024 * 1024 * 1024;

/// The largest index: the largest public ones have some 50 MB.
const MAX_INDEX_BYTES: u64 = 512 * 1024 * 1024;

/// The largest archive: Helm's own limit for a chart.
const MAX_ARCHIVE_BYTES: u64 = 100 * 1024 * 1024;

/// The largest provenance file: a signature over a few lines.
const MAX_PROVENANCE_BYTES: u64 = 1024 * 1024;

/// The most addresses whose clients are kept; with more they are made anew.
const MAX_REPOSITORIES: usize = 1000;

/// The chart itself, in a manifest; the second is of registries before Helm 3.7.
const CHART_LAYERS: [&str; 2] = [
    "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
    "application/tar+gzip",
];

/// Its provenance file.
const PROVENANCE_LAYER: &str = "application/vnd.cncf.helm.chart.provenance.v1.prov";

/// What an artifact of files may be in, as Argo CD's `oci.layer.media.types`.
const ARTIFACT_LAYERS: [&str; 3] = [
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    CHART_LAYERS[0],
];

/// Who gets the credentials of a repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PassCredentials {
    /// Its own server.
    #[default]
    OwnServer,
    /// Every server that its index names or that it redirects to (`helm.passCredentials`).
    Everywhere,
}

/// Limits and places of [`Charts`].
#[derive(Clone, Debug)]
pub struct ChartOptions {
    /// What all files of the cache may have together.
    pub max_cache_bytes: u64,
    /// The largest archive.
    pub max_archive_bytes: u64,
    /// The largest index.
    pub max_index_bytes: u64,
    /// A Docker `config.json`, whose logins are used for registries without configured ones.
    pub docker_config: Option<PathBuf>,
}

impl Default for ChartOptions {
    fn default() -> Self {
        ChartOptions {
            max_cache_bytes: MAX_CACHE_BYTES,
            max_archive_bytes: MAX_ARCHIVE_BYTES,
            max_index_bytes: MAX_INDEX_BYTES,
            docker_config: None,
        }
    }
}

/// A chart as it was fetched. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Archive {
    /// Of `bytes`.
    pub digest: Digest,
    /// A tar in gzip.
    pub bytes: Arc<[u8]>,
    /// The provenance file, where there is one: kept for a check of signatures.
    pub provenance: Option<Arc<[u8]>>,
}

impl fmt::Debug for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Archive({})", self.digest)
    }
}

impl Archive {
    /// The files of the chart, without the archive's one folder.
    ///
    /// # Errors
    /// When the archive is broken, over a limit, or tries to lead outside.
    pub fn tree(&self) -> Result<Arc<dyn Tree>, crate::chart::ArchiveError> {
        unpack(&self.bytes, Layout::InFolder)
    }
}

/// All places of charts. Cheap to clone.
#[derive(Clone)]
pub struct Charts(Arc<ChartsInner>);

struct ChartsInner {
    cache: Cache,
    options: ChartOptions,
    trust: RwLock<Arc<Trust>>,
    repositories: Mutex<HashMap<[u8; 32], ChartRepository>>,
}

/// The charts of one address under one login. Cheap to clone; clones share what they know.
#[derive(Clone)]
pub struct ChartRepository(Arc<Inner>);

struct Inner {
    place: Place,
    server: Server,
    /// Tells address and login apart in the cache, without holding them.
    id: String,
    cache: Cache,
    options: ChartOptions,
    /// When the index, or a registry's tags, were asked for last; one question at a time.
    asked: tokio::sync::Mutex<HashMap<String, Instant>>,
    tags: Mutex<HashMap<String, Arc<[String]>>>,
}

enum Server {
    Web(Web),
    Registry(Registry),
}

impl Charts {
    /// Opens the cache in a folder, which is made when it is not there.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(directory: &Path, options: ChartOptions) -> Result<Charts, ChartError> {
        let failed = |problem| ChartError {
            what: "chart cache".to_owned(),
            place: directory.display().to_string(),
            problem,
        };
        Ok(Charts(Arc::new(ChartsInner {
            cache: Cache::open(directory, options.max_cache_bytes).map_err(failed)?,
            options,
            trust: RwLock::default(),
            repositories: Mutex::default(),
        })))
    }

    /// From now on these servers are believed.
    pub fn set_trust(&self, trust: Trust) {
        *self.0.trust.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(trust);
        lock(&self.0.repositories).clear();
    }

    /// The charts at `http(s)://host/path`, `oci://host/path`, or `host/path` of a registry. Asks
    /// no server.
    ///
    /// # Errors
    /// When the address or the credentials cannot be used.
    pub fn repository(
        &self,
        address: &str,
        credentials: &Credentials,
        pass: PassCredentials,
    ) -> Result<ChartRepository, ChartError> {
        let mut key = credentials.fingerprint().to_vec();
        key.push(pass as u8);
        key.extend_from_slice(address.as_bytes());
        let id = Digest::of(&key).hex().to_owned();
        let mut map_key = [0; 32];
        map_key.copy_from_slice(&id.as_bytes()[..32]);
        if let Some(known) = lock(&self.0.repositories).get(&map_key) {
            return Ok(known.clone());
        }
        let made = self.make(address, credentials, pass, id);
        let repository = made.map_err(|(place, problem)| ChartError {
            what: "charts".to_owned(),
            place,
            problem,
        })?;
        let mut repositories = lock(&self.0.repositories);
        if repositories.len() >= MAX_REPOSITORIES {
            repositories.clear();
        }
        repositories.insert(map_key, repository.clone());
        Ok(repository)
    }

    /// What is at a URL, asked for without credentials: value files that an Application names.
    ///
    /// # Errors
    /// When the URL cannot be used, or its server does not give the file.
    pub async fn file(&self, url: &str) -> Result<Vec<u8>, ChartError> {
        let failed = |problem| ChartError {
            what: "value file".to_owned(),
            place: shown(url),
            problem,
        };
        let place = Place::parse(url, &Credentials::default()).map_err(failed)?;
        let Place::Repository { base, .. } = &place else {
            return Err(failed(ChartProblem::Address(
                "is not of scheme http or https",
            )));
        };
        let mut file = base.clone();
        file.set_path(base.path().trim_end_matches('/'));
        let trust = self.trust();
        let none = Credentials::default();
        let web = Web::new(&place, &none, PassCredentials::OwnServer, &trust).map_err(failed)?;
        let response = web.get(&file, &HeaderMap::new(), Login::Nothing).await;
        let response = response.map_err(failed)?;
        web::check(&response, "such file", false).map_err(failed)?;
        web::body(response, web::MAX_TEXT_BYTES)
            .await
            .map_err(failed)
    }

    fn trust(&self) -> Arc<Trust> {
        let trust = self.0.trust.read().unwrap_or_else(PoisonError::into_inner);
        trust.clone()
    }

    fn make(
        &self,
        address: &str,
        credentials: &Credentials,
        pass: PassCredentials,
        id: String,
    ) -> Result<ChartRepository, (String, ChartProblem)> {
        let place = Place::parse(address, credentials);
        let place = place.map_err(|problem| (shown(address), problem))?;
        let at = |problem| (place.to_string(), problem);
        if let Some(name) = credentials.unsupported {
            return Err(at(ChartProblem::Credentials(name)));
        }
        let found = match &place {
            Place::Registry { base, .. } if credentials.is_anonymous() => self.docker_login(base),
            Place::Registry { .. } | Place::Repository { .. } => None,
        };
        let credentials = &match found {
            Some(found) => credentials.clone().or(&found),
            None => credentials.clone(),
        };
        let trust = self.trust();
        let web = Web::new(&place, credentials, pass, &trust).map_err(at)?;
        let server = match &place {
            Place::Repository { .. } => Server::Web(web),
            Place::Registry { base, .. } => {
                Server::Registry(Registry::new(base.clone(), web, credentials.force_basic))
            }
        };
        Ok(ChartRepository(Arc::new(Inner {
            place,
            server,
            id,
            cache: self.0.cache.clone(),
            options: self.0.options.clone(),
            asked: tokio::sync::Mutex::default(),
            tags: Mutex::default(),
        })))
    }

    fn docker_login(&self, base: &Url) -> Option<Credentials> {
        let config = std::fs::read(self.0.options.docker_config.as_ref()?).ok()?;
        let host = base.host_str()?;
        let host = match base.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        docker::login_for(&config, &host)
    }
}

/// An address that could not be read, without what may be user information.
fn shown(address: &str) -> String {
    let address: String = address
        .chars()
        .filter(|it| !it.is_control())
        .take(200)
        .collect();
    address
        .rsplit_once('@')
        .map_or(address.as_str(), |(_, rest)| rest)
        .to_owned()
}

impl ChartRepository {
    /// The version of `chart` that `wanted` means: an exact version as it is (whether there is one
    /// shows when it is fetched), the highest in a range, the highest of all for an empty text or
    /// `latest`; of a registry also any tag.
    ///
    /// # Errors
    /// [`ChartError`]: no such chart, no version in the range, or the server did not answer.
    pub async fn resolve(
        &self,
        chart: &str,
        wanted: &str,
        freshness: Freshness,
    ) -> Result<String, ChartError> {
        if version(wanted).is_some() {
            return Ok(wanted.to_owned());
        }
        let found = match self.versions(chart, freshness).await {
            Ok(versions) => pick(&versions, wanted),
            Err(problem) => Err(problem),
        };
        found.map_err(|problem| self.error(chart, wanted, problem))
    }

    /// The archive of one version, from the cache when it was fetched before.
    ///
    /// # Errors
    /// [`ChartError`]: no such chart or version, a content that is not the promised one, or the
    /// server did not answer.
    pub async fn fetch(&self, chart: &str, version: &str) -> Result<Archive, ChartError> {
        let pin = Digest::of(format!("{} {chart} {version}", self.0.id).as_bytes());
        if let Some(archive) = self.cached(&pin) {
            return Ok(archive);
        }
        let fetched = match &self.0.server {
            Server::Web(web) => self.download(web, chart, version).await,
            Server::Registry(registry) => self.pull(registry, chart, version).await,
        };
        let archive = fetched.and_then(|archive| self.keep(&pin, archive));
        archive.map_err(|problem| self.error(chart, version, problem))
    }

    /// The digest that a tag, a range of tags or a digest of an artifact means now.
    ///
    /// # Errors
    /// As [`ChartRepository::resolve`].
    pub async fn resolve_artifact(
        &self,
        wanted: &str,
        freshness: Freshness,
    ) -> Result<Digest, ChartError> {
        if let Some(digest) = Digest::parse(wanted).filter(|_| wanted.starts_with("sha256:")) {
            return Ok(digest);
        }
        let found = self.artifact_digest(wanted, freshness).await;
        found.map_err(|problem| self.error("", wanted, problem))
    }

    /// The files of an artifact: of its one layer that is an archive.
    ///
    /// # Errors
    /// As [`ChartRepository::fetch`], and when the artifact is none of files.
    pub async fn artifact(&self, digest: &Digest) -> Result<Arc<dyn Tree>, ChartError> {
        let files = self.artifact_files(digest).await;
        files.map_err(|problem| self.error("", &digest.to_string(), problem))
    }

    fn error(&self, chart: &str, wanted: &str, problem: ChartProblem) -> ChartError {
        let what = match (chart, wanted) {
            ("", wanted) => format!("artifact {wanted:?}"),
            (chart, "") => format!("chart {chart:?}"),
            (chart, wanted) => format!("chart {chart:?} of version {wanted:?}"),
        };
        ChartError {
            what,
            place: self.0.place.to_string(),
            problem,
        }
    }

    /// All versions of a chart, or tags of a repository.
    async fn versions(
        &self,
        chart: &str,
        freshness: Freshness,
    ) -> Result<Vec<String>, ChartProblem> {
        match &self.0.server {
            Server::Web(web) => {
                let entries = self.entries(web, chart, freshness).await?;
                Ok(entries.into_iter().map(|it| it.version).collect())
            }
            Server::Registry(registry) => {
                let tags = self.tags(registry, chart, freshness).await?;
                // A `+` cannot be in a tag: Helm writes `_`.
                Ok(tags.iter().map(|tag| tag.replace('_', "+")).collect())
            }
        }
    }

    async fn tags(
        &self,
        registry: &Registry,
        chart: &str,
        freshness: Freshness,
    ) -> Result<Arc<[String]>, ChartProblem> {
        let mut asked = self.0.asked.lock().await;
        let known = lock(&self.0.tags).get(chart).cloned();
        if let Some(known) = known.filter(|_| is_fresh(asked.get(chart), freshness)) {
            return Ok(known);
        }
        let now = Instant::now();
        let tags: Arc<[String]> = registry.tags(&self.0.place.repository(chart)).await?.into();
        asked.insert(chart.to_owned(), now);
        lock(&self.0.tags).insert(chart.to_owned(), tags.clone());
        Ok(tags)
    }

    /// What the index says of a chart.
    async fn entries(
        &self,
        web: &Web,
        chart: &str,
        freshness: Freshness,
    ) -> Result<Vec<Entry>, ChartProblem> {
        self.refresh_index(web, freshness).await?;
        let gone = || ChartProblem::Store("the index was deleted while it was read".to_owned());
        let file = self
            .0
            .cache
            .open_file(Shelf::Indexes, &self.0.id)
            .ok_or_else(gone)?;
        let chart = chart.to_owned();
        let read = tokio::task::spawn_blocking(move || index::read(BufReader::new(file), &chart));
        let read = read
            .await
            .map_err(|it| ChartProblem::Store(it.to_string()))?;
        read?.ok_or(ChartProblem::NoChart)
    }

    async fn refresh_index(&self, web: &Web, freshness: Freshness) -> Result<(), ChartProblem> {
        let (cache, id) = (&self.0.cache, &self.0.id);
        let mut asked = self.0.asked.lock().await;
        let is_there = cache.open_file(Shelf::Indexes, id).is_some();
        if is_there && is_fresh(asked.get(""), freshness) {
            return Ok(());
        }
        let now = Instant::now();
        let mut headers = HeaderMap::new();
        let mark = cache.read(Shelf::Marks, id).filter(|_| is_there);
        if let Some(mark) = mark.and_then(|it| HeaderValue::from_bytes(&it).ok()) {
            headers.insert(IF_NONE_MATCH, mark);
        }
        let url = join(self.0.place.base(), "index.yaml")?;
        let response = web.get(&url, &headers, Login::Configured).await?;
        if response.status() != StatusCode::NOT_MODIFIED || !is_there {
            web::check(&response, "index.yaml", web.has_login())?;
            let mark = response.headers().get(ETAG).cloned();
            let draft = web::save(response, cache, self.0.options.max_index_bytes).await?;
            cache.remove(Shelf::Marks, id);
            cache.finish(draft, Shelf::Indexes, id)?;
            if let Some(mark) = mark {
                cache.write(Shelf::Marks, id, mark.as_bytes())?;
            }
        }
        asked.insert(String::new(), now);
        Ok(())
    }

    async fn download(
        &self,
        web: &Web,
        chart: &str,
        version: &str,
    ) -> Result<Archive, ChartProblem> {
        // An index that is at hand may be too old for the version: then it is asked for again.
        let at_hand = Freshness::Within(std::time::Duration::MAX);
        let known = self.entries(web, chart, at_hand).await;
        let entry = match known.map(|entries| find(entries, version)) {
            Ok(Ok(entry)) => entry,
            Ok(Err(_)) | Err(ChartProblem::NoChart) => {
                find(self.entries(web, chart, Freshness::Now).await?, version)?
            }
            Err(problem) => return Err(problem),
        };
        let address = entry.urls.first().map_or("", String::as_str);
        let url = join(self.0.place.base(), address)?;
        if !["http", "https"].contains(&url.scheme()) {
            return Err(ChartProblem::Artifact(format!(
                "the index says scheme {:?} for the archive, which is not followed",
                url.scheme()
            )));
        }
        let limit = self.0.options.max_archive_bytes;
        let response = web.get(&url, &HeaderMap::new(), Login::Configured).await?;
        web::check(&response, "such archive", web.has_login())?;
        let bytes = web::body(response, limit).await?;
        let digest = Digest::of(&bytes);
        if let Some(want) = entry.digest.filter(|want| *want != digest) {
            return Err(ChartProblem::Digest {
                want: want.to_string(),
                got: digest.to_string(),
            });
        }
        let mut beside = url;
        beside.set_path(&format!("{}.prov", beside.path()));
        Ok(Archive {
            digest,
            bytes: bytes.into(),
            provenance: provenance(web, &beside).await,
        })
    }

    async fn pull(
        &self,
        registry: &Registry,
        chart: &str,
        version: &str,
    ) -> Result<Archive, ChartProblem> {
        let repository = self.0.place.repository(chart);
        let manifest = registry
            .manifest(&repository, &version.replace('+', "_"))
            .await?;
        let of = |types: &[&str]| {
            let mut layers = manifest.layers.iter();
            layers.find(|it| types.contains(&it.media_type.as_str()))
        };
        let layer = of(&CHART_LAYERS).ok_or_else(|| no_layer("a Helm chart", &manifest))?;
        let limit = self.0.options.max_archive_bytes;
        let bytes = registry.blob(&repository, layer, limit).await?;
        let provenance = match of(&[PROVENANCE_LAYER]) {
            Some(layer) => {
                let bytes = registry
                    .blob(&repository, layer, MAX_PROVENANCE_BYTES)
                    .await?;
                Some(bytes.into())
            }
            None => None,
        };
        Ok(Archive {
            digest: layer.digest.clone(),
            bytes: bytes.into(),
            provenance,
        })
    }

    fn cached(&self, pin: &Digest) -> Option<Archive> {
        let cache = &self.0.cache;
        let pinned = String::from_utf8(cache.read(Shelf::Pins, pin.hex())?).ok()?;
        let mut digests = pinned.lines().map(Digest::parse);
        let digest = digests.next()??;
        let bytes = cache.blob(&digest)?;
        let provenance = match digests.next() {
            Some(provenance) => Some(cache.blob(&provenance?)?.into()),
            None => None,
        };
        Some(Archive {
            digest,
            bytes: bytes.into(),
            provenance,
        })
    }

    fn keep(&self, pin: &Digest, archive: Archive) -> Result<Archive, ChartProblem> {
        let cache = &self.0.cache;
        let mut pinned = archive.digest.to_string();
        cache.write(Shelf::Blobs, archive.digest.hex(), &archive.bytes)?;
        if let Some(provenance) = &archive.provenance {
            let digest = Digest::of(provenance);
            cache.write(Shelf::Blobs, digest.hex(), provenance)?;
            pinned = format!("{pinned}\n{digest}");
        }
        cache.write(Shelf::Pins, pin.hex(), pinned.as_bytes())?;
        Ok(archive)
    }

    fn registry(&self) -> Result<(&Registry, String), ChartProblem> {
        match &self.0.server {
            Server::Registry(registry) => Ok((registry, self.0.place.repository(""))),
            Server::Web(_) => Err(ChartProblem::Address("is of no registry")),
        }
    }

    async fn artifact_digest(
        &self,
        wanted: &str,
        freshness: Freshness,
    ) -> Result<Digest, ChartProblem> {
        let (registry, repository) = self.registry()?;
        let is_tag = version(wanted).is_some() || Range::parse(wanted).is_none();
        let tag = if is_tag && !wanted.is_empty() {
            wanted.to_owned()
        } else {
            pick(&self.tags(registry, "", freshness).await?, wanted)?
        };
        Ok(registry.manifest(&repository, &tag).await?.digest)
    }

    async fn artifact_files(&self, digest: &Digest) -> Result<Arc<dyn Tree>, ChartProblem> {
        let (registry, repository) = self.registry()?;
        let manifest = registry.manifest(&repository, &digest.to_string()).await?;
        let mut layers = manifest.layers.iter();
        let layer = layers.find(|it| ARTIFACT_LAYERS.contains(&it.media_type.as_str()));
        let layer = layer.ok_or_else(|| no_layer("an artifact of files", &manifest))?;
        let bytes = match self.0.cache.blob(&layer.digest) {
            Some(bytes) => bytes,
            None => self.fetch_layer(registry, &repository, layer).await?,
        };
        let layout = if layer.media_type == CHART_LAYERS[0] {
            Layout::InFolder
        } else {
            Layout::Plain
        };
        Ok(unpack(&bytes, layout)?)
    }

    async fn fetch_layer(
        &self,
        registry: &Registry,
        repository: &str,
        layer: &Layer,
    ) -> Result<Vec<u8>, ChartProblem> {
        let limit = self.0.options.max_archive_bytes;
        let bytes = registry.blob(repository, layer, limit).await?;
        self.0
            .cache
            .write(Shelf::Blobs, layer.digest.hex(), &bytes)?;
        Ok(bytes)
    }
}

fn no_layer(what: &str, manifest: &Manifest) -> ChartProblem {
    ChartProblem::Artifact(format!(
        "it is not {what}: its configuration is of type {:?}",
        manifest.config_type
    ))
}

fn is_fresh(asked: Option<&Instant>, freshness: Freshness) -> bool {
    match freshness {
        Freshness::Now => false,
        Freshness::Within(age) => asked.is_some_and(|it| it.elapsed() <= age),
    }
}

/// A file of a repository: `address` is absolute, or from the repository's folder.
fn join(base: &Url, address: &str) -> Result<Url, ChartProblem> {
    let odd = || ChartProblem::Index("an address in it cannot be read".to_owned());
    let mut url = base.join(address).map_err(|_| odd())?;
    // The query of the repository's address may be a part of the login (pre-signed addresses).
    if url.query().is_none() && url.origin() == base.origin() {
        url.set_query(base.query());
    }
    url.set_username("").map_err(|()| odd())?;
    url.set_password(None).map_err(|()| odd())?;
    Ok(url)
}

/// The provenance file beside an archive; most charts have none, and a server may answer that in
/// many ways.
async fn provenance(web: &Web, url: &Url) -> Option<Arc<[u8]>> {
    let response = web
        .get(url, &HeaderMap::new(), Login::Configured)
        .await
        .ok()?;
    web::check(&response, "provenance", web.has_login()).ok()?;
    let body = web::body(response, MAX_PROVENANCE_BYTES).await.ok()?;
    // Servers that answer everything with a page have no provenance files.
    let is_signed = body.starts_with(b"-----BEGIN PGP SIGNED MESSAGE-----");
    is_signed.then(|| body.into())
}

/// The entry of an exact version; `v1.2.3` and `1.2.3` are the same.
fn find(entries: Vec<Entry>, wanted: &str) -> Result<Entry, ChartProblem> {
    let versions: Vec<String> = entries.iter().map(|it| it.version.clone()).collect();
    let parsed = version(wanted);
    let is_it = |entry: &Entry| {
        entry.version == wanted || (parsed.is_some() && version(&entry.version) == parsed)
    };
    let none = || none_fits(&versions);
    entries.into_iter().find(is_it).ok_or_else(none)
}

fn none_fits(versions: &[String]) -> ChartProblem {
    let parsed: Vec<_> = versions.iter().filter_map(|it| version(it)).collect();
    ChartProblem::NoVersion {
        n_versions: versions.len(),
        newest: parsed.iter().max().map(|it| it.original().to_owned()),
    }
}

/// The highest version in a range; a text that is no range is a tag, and `latest`, where there is
/// no such tag, means all versions.
fn pick(versions: &[String], wanted: &str) -> Result<String, ChartProblem> {
    let range = match wanted {
        "" => "*",
        tag if versions.iter().any(|it| it == tag) => return Ok(tag.to_owned()),
        "latest" => "*",
        range => range,
    };
    let range = Range::parse(range).ok_or_else(|| ChartProblem::NotAVersion(wanted.to_owned()))?;
    let parsed: Vec<_> = versions.iter().filter_map(|it| version(it)).collect();
    let highest = range.highest(parsed.iter());
    highest
        .map(|it| it.original().to_owned())
        .ok_or_else(|| none_fits(versions))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_means_its_highest_version() {
        let versions: Vec<String> = ["1.0.0", "v1.2.0", "2.0.0-rc.1", "1.10.0", "nightly"]
            .map(str::to_owned)
            .to_vec();
        let check = |wanted: &str, want: Result<&str, ChartProblem>| {
            assert_eq!(pick(&versions, wanted), want.map(str::to_owned), "{wanted}");
        };
        check("", Ok("1.10.0"));
        check("latest", Ok("1.10.0"));
        check("^1.0", Ok("1.10.0"));
        check(">=1.0.0-0", Ok("2.0.0-rc.1"));
        check("~1.2", Ok("v1.2.0"));
        check("nightly", Ok("nightly"));
        check(
            "^3",
            Err(ChartProblem::NoVersion {
                n_versions: 5,
                newest: Some("2.0.0-rc.1".to_owned()),
            }),
        );
        check(
            "weekly",
            Err(ChartProblem::NotAVersion("weekly".to_owned())),
        );
    }
}
