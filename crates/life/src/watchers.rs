//! One task per resource: list, then watch, for ever; what they see goes into one channel.

use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;
use yaml::Value;

use super::client::{Api, ApiError, Broken, Event};
use super::kind::{Kind, Resource};

/// The wait after a failed request doubles from the first to the second: short enough for a server
/// that restarts, long enough to leave a broken one alone.
const FIRST_WAIT: Duration = Duration::from_millis(20);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What a watcher saw.
#[derive(Debug)]
pub(crate) enum News {
    /// All objects of a resource.
    Listed(Kind, Vec<Value>),
    /// One object, new or changed.
    Present(Kind, Value),
    /// One object that is gone.
    Gone(Kind, Value),
}

/// The running watchers. They end when this is dropped.
pub(crate) struct Watchers {
    api: Api,
    news: Sender<News>,
    tasks: JoinSet<()>,
}

impl Watchers {
    /// None yet; what they will see goes to `news`.
    pub(crate) fn new(api: Api, news: Sender<News>) -> Self {
        Watchers {
            api,
            news,
            tasks: JoinSet::new(),
        }
    }

    /// Starts to follow a resource; the handle stops it.
    pub(crate) fn follow(&mut self, kind: Kind, resource: Resource) -> tokio::task::AbortHandle {
        let (api, news) = (self.api.clone(), self.news.clone());
        self.tasks.spawn(async move {
            let mut wait = FIRST_WAIT;
            loop {
                match follow(&api, &news, kind, &resource).await {
                    Ok(End::Closed) => return,
                    Ok(End::Expired) => wait = FIRST_WAIT,
                    Err(error) => {
                        tracing::debug!(plural = %resource.plural, %error, "a watch failed");
                        tokio::time::sleep(wait).await;
                        wait = (wait * 2).min(LONGEST_WAIT);
                    }
                }
            }
        })
    }

    /// Ends them all and waits until they have ended.
    pub(crate) async fn shutdown(mut self) {
        self.tasks.shutdown().await;
    }
}

enum End {
    /// Nobody listens any more.
    Closed,
    /// The server has forgotten the resource version: list again.
    Expired,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Request(#[from] ApiError),
    #[error("the watch broke")]
    Watch(#[from] Broken),
}

async fn follow(
    api: &Api,
    news: &Sender<News>,
    kind: Kind,
    resource: &Resource,
) -> Result<End, Failure> {
    let listed = match api.list(resource).await {
        // A definition that was taken away meanwhile: it has no objects.
        Err(error) if error.code() == Some(404) => {
            let _ = news.send(News::Listed(kind, Vec::new())).await;
            return Ok(End::Closed);
        }
        other => other?,
    };
    if news.send(News::Listed(kind, listed.objects)).await.is_err() {
        return Ok(End::Closed);
    }
    let mut version = listed.resource_version;
    loop {
        let mut watch = match api.watch(resource, &version).await {
            Err(error) if error.code() == Some(410) => return Ok(End::Expired),
            other => other?,
        };
        while let Some(event) = watch.next().await? {
            let item = match event {
                Event::Present(object) => News::Present(kind, object),
                Event::Gone(object) => News::Gone(kind, object),
                Event::Bookmark(at) => {
                    version = at;
                    continue;
                }
                Event::Expired => return Ok(End::Expired),
            };
            if let News::Present(_, object) | News::Gone(_, object) = &item {
                let at = super::fields::text(object, &["metadata", "resourceVersion"]);
                at.clone_into(&mut version);
            }
            if news.send(item).await.is_err() {
                return Ok(End::Closed);
            }
        }
    }
}
