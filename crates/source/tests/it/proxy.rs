//! Requests through a proxy, and around it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use source::{Credentials, Masked, Trust};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::fixture::{CANARY, Fixture, read, url};
use crate::server::{Guard, Mood, Server};

/// A proxy that tunnels; gives its port and what it was asked.
async fn start() -> (u16, Arc<Mutex<Vec<String>>>, tokio::task::JoinHandle<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = asked.clone();
    let serving = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((socket, _)) = listener.accept().await {
            let seen = seen.clone();
            connections.spawn(async move {
                let mut socket = BufReader::new(socket);
                let mut lines = Vec::new();
                loop {
                    let mut line = String::new();
                    socket.read_line(&mut line).await.unwrap();
                    if line.trim().is_empty() {
                        break;
                    }
                    lines.push(line);
                }
                let place = lines[0].split(' ').nth(1).unwrap().to_owned();
                seen.lock().unwrap().push(lines.concat());
                let mut target = tokio::net::TcpStream::connect(&place).await.unwrap();
                socket.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut socket, &mut target).await;
            });
        }
    });
    (port, asked, serving)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_is_asked_unless_the_host_is_excepted() {
    let fixture = Fixture::with_history();
    let root = fixture.folder.path().to_path_buf();
    let server = Server::start(root, Guard::Nobody, Mood::Serves).await;
    let (port, asked, serving) = start().await;
    for (except, is_asked) in [(None, true), (Some("localhost,other.example"), false)] {
        let store = fixture.store();
        let certificates = BTreeMap::from([("localhost".to_owned(), server.authority.pem.clone())]);
        store.set_trust(Trust::new(&certificates, "").0);
        let credentials = Credentials {
            proxy: Some(Masked::new(format!(
                "http://user:{CANARY}@127.0.0.1:{port}"
            ))),
            no_proxy: except.map(str::to_owned),
            ..Credentials::default()
        };
        assert!(!format!("{credentials:?}").contains(CANARY));
        let repository = store
            .repository(&url(&server.url("/work/.git")), &credentials)
            .unwrap();
        let text = read(&repository, "main", "a.yaml").await;
        assert_eq!(text.as_deref(), Ok("v: annotated\n"));
        let asked: Vec<String> = asked.lock().unwrap().drain(..).collect();
        assert_eq!(!asked.is_empty(), is_asked, "{asked:?}");
        let is_known = |it: &String| it.to_lowercase().contains("proxy-authorization: basic");
        assert!(asked.iter().all(is_known), "{asked:?}");
    }
    serving.abort();
}
