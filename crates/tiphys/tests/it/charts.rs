//! Applications whose charts are not in Git: a Helm repository over HTTP and a real registry, filled
//! by the real helm.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::harness::{Kubectl, Repository, Up, oracle, output};

/// A folder served over HTTP, as any web server does for a Helm repository.
struct FileServer {
    folder: PathBuf,
    port: u16,
}

impl FileServer {
    /// Serves it on a free port until the process ends.
    fn start(folder: PathBuf) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let root = folder.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let root = root.clone();
                std::thread::spawn(move || answer(&root, &stream));
            }
        });
        FileServer { folder, port }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// Answers one question and ends the connection.
fn answer(root: &Path, mut stream: &TcpStream) {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let question = lines.next().unwrap_or_default();
    let _headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    let name = question.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match fs::read(root.join(name.trim_start_matches('/'))) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
    // A client that has left needs no answer.
    drop(stream.write_all(&[head.as_bytes(), &body].concat()));
}

/// A running docker-registry without a login; ends with the test.
struct Registry {
    child: Child,
    port: u16,
}

impl Registry {
    fn start(program: &Path, folder: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let data = folder.join("registry");
        let config = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage: {{filesystem: {{rootdirectory: {}}}}}\n\
             http: {{addr: 127.0.0.1:{port}}}\n",
            data.display()
        );
        let path = folder.join("registry.yml");
        fs::write(&path, config).expect("a new file");
        let mut command = Command::new(program);
        command.arg("serve").arg(path);
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("docker-registry starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let is_up = lines.any(|line| line.is_ok_and(|line| line.contains("listening on")));
        assert!(is_up, "docker-registry did not start");
        // Its output must go on being read, or it stops at a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Registry { child, port }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The programs that fill repositories, and a folder for charts.
struct Publisher {
    helm: PathBuf,
    folder: TempDir,
}

impl Publisher {
    fn helm(&self, arguments: &[&str]) {
        let mut helm = Command::new(&self.helm);
        helm.args(arguments)
            .current_dir(self.folder.path())
            .env("HELM_CACHE_HOME", self.folder.path().join("cache"));
        let output = output(&mut helm);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "helm {arguments:?}: {text}");
    }

    /// Writes the chart `page` in a version, packs it and puts it into the repository.
    fn publish(&self, server: &FileServer, version: &str) {
        let chart = self.folder.path().join("page");
        let files = [
            (
                "Chart.yaml",
                format!("apiVersion: v2\nname: page\nversion: {version}\n"),
            ),
            ("values.yaml", "title: none\n".to_owned()),
            (
                "templates/page.yaml",
                "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-page\n\
                 data:\n  title: {{ .Values.title }}\n  version: {{ .Chart.Version }}\n"
                    .to_owned(),
            ),
        ];
        fs::create_dir_all(chart.join("templates")).expect("a new folder");
        for (path, text) in files {
            fs::write(chart.join(path), text).expect("a new file");
        }
        let folder = server.folder.display().to_string();
        self.helm(&["package", "page", "-d", &folder]);
        self.helm(&["repo", "index", &folder]);
    }
}

/// An Application; `sources` is the rest of its spec.
fn application(name: &str, spec: &str) -> String {
    format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: {name}, namespace: argocd}}\n\
         spec:\n  project: default\n  syncPolicy: {{automated: {{}}}}\n  \
         destination: {{server: https://kubernetes.default.svc, namespace: default}}\n  {spec}\n"
    )
}

/// A root over [`application`]s of all ways to name a chart that is not in Git.
fn write_applications(repository: &Repository, charts: &str, registry: u16) {
    const HERE: &str = "https://git.example.com/pages.git";
    repository.write(
        "root.yaml",
        &application(
            "root",
            &format!("source: {{repoURL: '{HERE}', targetRevision: HEAD, path: apps}}"),
        ),
    );
    for (name, spec) in [
        (
            "http",
            format!(
                "source: {{repoURL: '{charts}', chart: page, targetRevision: ^1.0.0, helm: {{values: 'title: of http'}}}}"
            ),
        ),
        (
            "registry",
            format!(
                "source: {{repoURL: '127.0.0.1:{registry}/charts', chart: page, targetRevision: 1.x, helm: {{valuesObject: {{title: of the registry}}}}}}"
            ),
        ),
        (
            "umbrella",
            format!("source: {{repoURL: '{HERE}', targetRevision: HEAD, path: umbrella}}"),
        ),
        (
            "together",
            format!(
                "sources:\n  - {{repoURL: '{charts}', chart: page, targetRevision: 1.2.0, helm: {{valueFiles: [$here/values/together.yaml]}}}}\n  \
                 - {{repoURL: '{HERE}', targetRevision: HEAD, ref: here}}"
            ),
        ),
    ] {
        repository.write(&format!("apps/{name}.yaml"), &application(name, &spec));
    }
    repository.write(
        "apps/registry-secret.yaml",
        &format!(
            "apiVersion: v1\nkind: Secret\nmetadata:\n  name: registry\n  namespace: argocd\n  \
             labels: {{argocd.argoproj.io/secret-type: repository}}\n\
             stringData: {{type: helm, enableOCI: 'true', insecureOCIForceHttp: 'true', url: '127.0.0.1:{registry}/charts'}}\n"
        ),
    );
    repository.write("values/together.yaml", "title: of Git\n");
    let dependency = format!("{{name: page, version: '>=1.0.0', repository: '{charts}'}}");
    repository.write(
        "umbrella/Chart.yaml",
        &format!("apiVersion: v2\nname: umbrella\nversion: 0.1.0\ndependencies: [{dependency}]\n"),
    );
    repository.write("umbrella/values.yaml", "page: {title: of the umbrella}\n");
}

#[test]
fn charts_come_from_repositories_and_registries() {
    let (Some(helm), Some(program)) = (oracle("helm"), oracle("docker-registry")) else {
        return;
    };
    let folder = TempDir::new().expect("a temporary folder");
    let publisher = Publisher { helm, folder };
    let served = publisher.folder.path().join("served");
    fs::create_dir(&served).expect("a new folder");
    let server = FileServer::start(served);
    let registry = Registry::start(&program, publisher.folder.path());
    for version in ["1.1.0", "1.2.0"] {
        publisher.publish(&server, version);
    }
    let registry_url = format!("oci://127.0.0.1:{}/charts", registry.port);
    publisher.helm(&[
        "push",
        "served/page-1.1.0.tgz",
        &registry_url,
        "--plain-http",
    ]);

    let repository = Repository::empty();
    write_applications(&repository, &server.url(), registry.port);
    repository.git(&["init", "--quiet", "--initial-branch", "trunk"]);
    repository.commit();
    let mut up = Up::start(repository.up("", &[]));
    let Some(kubectl) = Kubectl::find(repository.data().join("kubeconfig")) else {
        return;
    };
    let mut waiting = BTreeSet::from(["http", "registry", "umbrella", "together"]);
    while !waiting.is_empty() {
        let line = up.wait_line(|line| line.ends_with(": Synced, Healthy"));
        let name = line.split(':').next().unwrap_or_default();
        waiting.remove(name);
    }
    let check = |name: &str, want: &str| {
        let name = format!("{name}-page");
        let show = [
            "get",
            "configmap",
            &name,
            "-o",
            "jsonpath={.data.title} {.data.version}",
        ];
        assert_eq!(kubectl.run(&show).as_deref(), Ok(want), "{name}");
    };
    check("http", "of http 1.2.0");
    check("registry", "of the registry 1.1.0");
    check("umbrella", "of the umbrella 1.2.0");
    check("together", "of Git 1.2.0");

    // A version that fits the range is deployed when somebody asks for a fresh look.
    publisher.publish(&server, "1.3.0");
    publisher.publish(&server, "2.0.0");
    let ask = [
        "annotate",
        "application",
        "http",
        "-n",
        "argocd",
        "argocd.argoproj.io/refresh=hard",
    ];
    kubectl.run(&ask).expect("an annotation");
    let show = [
        "get",
        "configmap",
        "http-page",
        "-o",
        "jsonpath={.data.version}",
    ];
    kubectl.wait(&show, "1.3.0");
    check("together", "of Git 1.2.0");
    up.interrupt();
    up.wait_line(|line| line.starts_with("stopped"));
}
