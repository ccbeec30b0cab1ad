//! The smallest client: JSON in, JSON out, over the tower service.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use sandbox::{Options, Server, Service};
use serde_json::Value;

pub(crate) struct Client {
    pub server: Server,
    service: Service,
}

pub(crate) struct Answer {
    pub status: u16,
    pub body: Value,
}

impl Client {
    pub(crate) async fn start() -> Self {
        Self::with(Options::in_memory()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let server = Server::start(options).await.unwrap();
        let service = server.service();
        Client { server, service }
    }

    pub(crate) async fn send(&self, method: &str, path: &str, body: &str) -> Answer {
        self.send_as(method, path, "application/json", body).await
    }

    pub(crate) async fn send_as(
        &self,
        method: &str,
        path: &str,
        media: &str,
        body: &str,
    ) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", media)
            .header("user-agent", "tester/1")
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap();
        let response = self.service.clone().handle(request).await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer {
            status,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, body).await
    }

    /// The events of a watch that ends by itself.
    pub(crate) async fn watch(&self, path: &str) -> Vec<Value> {
        let request = Request::builder()
            .uri(path)
            .body(Full::new(Bytes::new()))
            .unwrap();
        let response = self.service.clone().handle(request).await;
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        serde_json::Deserializer::from_slice(&bytes)
            .into_iter::<Value>()
            .map(Result::unwrap)
            .collect()
    }
}
