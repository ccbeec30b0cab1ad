//! A repository in a temporary folder, and a running `tiphys up` over it.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long anything may take before a test fails; far more than it needs on an idle machine.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks at something that is waited for.
const PAUSE: Duration = Duration::from_millis(20);

/// The program under test.
pub(crate) fn tiphys() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tiphys"))
}

/// Runs a command to its end. One that does not come to it is killed, and the test fails: a gate
/// that waits for ever tells nobody why.
pub(crate) fn output(command: &mut Command) -> Output {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program");
    let id = child.id();
    let (sender, ended) = channel();
    std::thread::spawn(move || sender.send(child.wait_with_output()));
    let Ok(output) = ended.recv_timeout(PATIENCE) else {
        signal("-KILL", id);
        panic!("{command:?} does not end");
    };
    output.expect("its output")
}

fn signal(name: &str, id: u32) {
    let status = Command::new("kill").args([name, &id.to_string()]).status();
    assert!(status.expect("kill is there").success());
}

/// A Git repository with a copy of the example, and a data directory beside it.
pub(crate) struct Repository {
    folder: TempDir,
}

impl Repository {
    /// The example, committed, in a clone whose only remote has a name and address of its own.
    pub(crate) fn with_example() -> Self {
        Repository::of_example("guestbook")
    }

    /// As [`Repository::with_example`], of another one.
    pub(crate) fn of_example(name: &str) -> Self {
        let repository = Repository::empty();
        let place = format!("examples/{name}");
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        copy(&example.join(&place), &repository.path(&place));
        repository.git(&["init", "--quiet", "--initial-branch", "trunk"]);
        repository.git(&[
            "remote",
            "add",
            "upstream",
            "https://elsewhere.example.com/fork.git",
        ]);
        repository.commit();
        repository
    }

    /// A public repository of the shared folder, as a repository of its own with branch `main`;
    /// `None` where that folder is absent.
    pub(crate) fn copy_of(name: &str) -> Option<Self> {
        let shared = std::env::var_os("TIPHYS_SHARED").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
            PathBuf::from,
        );
        let folder = shared.join("corpora/seed-repos").join(name);
        if !folder.is_dir() {
            let is_ci = std::env::var("CI").is_ok_and(|it| it == "true");
            assert!(!is_ci, "CI must have the shared folder");
            eprintln!("SKIPPED: {} is not here", folder.display());
            return None;
        }
        let repository = Repository::empty();
        copy(&folder, &repository.path(""));
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        repository.commit();
        Some(repository)
    }

    /// A folder without anything.
    pub(crate) fn empty() -> Self {
        let repository = Repository {
            folder: TempDir::new().expect("a temporary folder"),
        };
        fs::create_dir(repository.path("")).expect("a new folder");
        repository
    }

    /// A path inside.
    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join("repository").join(path)
    }

    /// Where `up` keeps its state.
    pub(crate) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Writes a file.
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("inside a folder")).expect("a folder");
        fs::write(path, text).expect("a writable file");
    }

    /// Replaces a text that must be in a file.
    pub(crate) fn edit(&self, path: &str, old: &str, new: &str) {
        let text = fs::read_to_string(self.path(path)).expect("a file of the example");
        assert!(text.contains(old), "{path} lacks {old:?}");
        self.write(path, &text.replace(old, new));
    }

    /// Commits everything.
    pub(crate) fn commit(&self) {
        self.git(&["add", "--all"]);
        self.git(&[
            "-c",
            "user.name=A",
            "-c",
            "user.email=a@example.com",
            "commit",
            "-qm",
            "x",
        ]);
    }

    /// Runs git in it.
    pub(crate) fn git(&self, arguments: &[&str]) {
        let status = Command::new("git")
            .args(arguments)
            .current_dir(self.path(""))
            .status();
        assert!(
            status.expect("git is installed").success(),
            "git {arguments:?}"
        );
    }

    /// The arguments of `up` in this repository.
    pub(crate) fn up(&self, path: &str, arguments: &[&str]) -> Command {
        let mut command = tiphys();
        command
            .arg("up")
            .arg(self.path(path))
            .arg("--data-dir")
            .arg(self.data());
        command.args(arguments);
        command
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a new folder");
    for entry in fs::read_dir(from).expect("the example") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

/// A process of `up`, ended with the test.
pub(crate) struct Up {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Up {
    /// Starts it.
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary");
        let (sender, lines) = channel();
        let out: Box<dyn Read + Send> = Box::new(child.stdout.take().expect("piped"));
        let err: Box<dyn Read + Send> = Box::new(child.stderr.take().expect("piped"));
        for stream in [out, err] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    if sender.send(line).is_err() {
                        break;
                    }
                }
            });
        }
        Up {
            child,
            lines,
            seen: Vec::new(),
        }
    }

    /// Waits for a line.
    pub(crate) fn wait_line(&mut self, fits: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if fits(&line) {
                        return line;
                    }
                }
                Err(error) => panic!(
                    "no such line ({error}); there were:\n{}",
                    self.seen.join("\n")
                ),
            }
        }
    }

    /// Waits for its end; gives how it ended and all that it printed.
    pub(crate) fn end(mut self) -> (ExitStatus, String) {
        let Some(status) = self.ended() else {
            self.child.kill().expect("it runs");
            panic!("it does not end:\n{}", self.rest());
        };
        (status, self.rest())
    }

    /// How it ended; `None` when it does not in time.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            let status = self.child.try_wait().expect("a child of ours");
            if status.is_some() {
                return status;
            }
            std::thread::sleep(PAUSE);
        }
        None
    }

    fn rest(&mut self) -> String {
        // Both pipes are closed once the process has ended, so this ends too.
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(2)) {
            self.seen.push(line);
        }
        self.seen.join("\n")
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it has ended");
    }

    /// Asks it to stop, as Ctrl-C does.
    pub(crate) fn interrupt(&self) {
        signal("-INT", self.child.id());
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_none()) {
            drop(self.child.kill());
            drop(self.child.wait());
        }
    }
}

/// A real program in the folder that `cargo xtask install-tools` fills. A test without it says so and
/// skips; in CI it fails.
pub(crate) fn oracle(name: &str) -> Option<PathBuf> {
    let of_home = || Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/tiphys/oracle"));
    let folder = std::env::var_os("TIPHYS_ORACLE").map(PathBuf::from);
    let program = folder.or_else(of_home).map(|folder| folder.join(name));
    let program = program.filter(|path| path.is_file());
    if program.is_none() {
        let is_ci = std::env::var("CI").is_ok_and(|it| it == "true");
        assert!(!is_ci, "CI needs {name}: cargo xtask install-tools");
        eprintln!("SKIPPED: {name} is not installed (cargo xtask install-tools)");
    }
    program
}

/// Real kubectl, where it is installed; a test without it says so and skips, in CI it fails.
pub(crate) struct Kubectl {
    program: PathBuf,
    kubeconfig: PathBuf,
}

impl Kubectl {
    /// Finds it, or says that it is not there.
    pub(crate) fn find(kubeconfig: PathBuf) -> Option<Self> {
        let program = oracle("kubectl")?;
        Some(Kubectl {
            program,
            kubeconfig,
        })
    }

    /// Runs it; gives what it printed when it succeeded.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.program);
        command.arg("--kubeconfig").arg(&self.kubeconfig);
        let output = output(command.args(arguments));
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
        }
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }

    /// Runs it until it prints this; gives how long that took.
    pub(crate) fn wait(&self, arguments: &[&str], want: &str) -> Duration {
        let start = Instant::now();
        loop {
            let got = self.run(arguments);
            if got.as_deref() == Ok(want) {
                return start.elapsed();
            }
            assert!(
                start.elapsed() < PATIENCE,
                "kubectl {arguments:?}: wanted {want:?}, got {got:?}"
            );
            std::thread::sleep(PAUSE);
        }
    }
}
