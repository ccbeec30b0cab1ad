//! Which files a folder holds, and Git's id of each. Read [`read`].
//!
//! It reads the folder and the user's index, and writes new file contents to our own store. It
//! must never write to the folder.

use std::collections::HashMap;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use gix::ObjectId;
use gix::index::entry::{Flags, Mode};
use gix::objs::Kind;
use gix::worktree::stack::State;
use gix::worktree::stack::state::Ignore;
use gix::worktree::stack::state::ignore::Source;

use crate::Problem;
use crate::objects::Objects;

/// The most files: a home folder given by mistake ends here, not when the disk is full.
const MAX_FILES: usize = 500_000;

/// The deepest folder, against folders mounted into themselves.
const MAX_DEPTH: usize = 128;

/// Larger files are listed, but their content is not stored: rendering would refuse them anyway.
const MAX_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// A file that changed so recently may change again without a new time stamp: it is read again.
const RACY: Duration = Duration::from_millis(100);

/// One file of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: Vec<u8>,
    /// As in Git's trees.
    pub(crate) mode: &'static str,
    pub(crate) id: ObjectId,
}

impl File {
    /// Whether it is a file, no link and no submodule.
    pub(crate) fn is_regular(&self) -> bool {
        self.mode.starts_with("100")
    }
}

/// What an earlier look found: a file with the same marks has the same content.
pub(crate) type Seen = HashMap<Vec<u8>, (Marks, ObjectId)>;

/// What the file system says about a file's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Marks {
    size: u64,
    inode: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Marks {
    fn of(metadata: &std::fs::Metadata) -> Self {
        Marks {
            size: metadata.size(),
            inode: metadata.ino(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// A file of the user's index.
struct Tracked {
    path: Vec<u8>,
    id: ObjectId,
    mode: Mode,
    size: u32,
    modified: (i64, i64),
    /// Not in the folder on purpose (a sparse checkout).
    is_left_out: bool,
}

/// All files that count, sorted by path: tracked ones, and others that are not ignored.
pub(crate) fn read(
    root: &Path,
    git: Option<&gix::Repository>,
    objects: &Objects,
    seen: &mut Seen,
) -> Result<Vec<File>, Problem> {
    let mut look = Look::new(root, git, objects)?;
    look.before = std::mem::take(seen);
    look.folder(&mut Vec::new(), 0, Below::Counts)?;
    let (files, now_seen) = look.finish(b"");
    *seen = now_seen;
    Ok(files)
}

/// The same of one folder, a path from the root without `/` at its end: nothing else is looked at.
pub(crate) fn read_below(
    root: &Path,
    git: Option<&gix::Repository>,
    objects: &Objects,
    folder: &[u8],
) -> Result<Vec<File>, Problem> {
    let mut look = Look::new(root, git, objects)?;
    let mut path = Vec::new();
    let mut below = Below::Counts;
    for part in folder
        .split(|byte| *byte == b'/')
        .filter(|it| !it.is_empty())
    {
        path.extend_from_slice(part);
        if below == Below::Counts && look.is_ignored(&path, Mode::DIR)? {
            below = Below::Ignored;
        }
        path.push(b'/');
    }
    look.folder(&mut path.clone(), 0, below)?;
    Ok(look.finish(&path).0)
}

impl<'a> Look<'a> {
    fn new(
        root: &'a Path,
        git: Option<&gix::Repository>,
        objects: &'a Objects,
    ) -> Result<Self, Problem> {
        let tracked = match git {
            Some(git) => tracked_files(git)?,
            None => Vec::new(),
        };
        let index_written = git
            .and_then(|git| std::fs::metadata(git.index_path()).ok())
            .map_or((0, 0), |index| (index.mtime(), index.mtime_nsec()));
        Ok(Look {
            root,
            objects,
            ignored: ignore_rules(root, git)?,
            tracked,
            index_written,
            now: SystemTime::now(),
            before: HashMap::new(),
            seen: HashMap::new(),
            files: Vec::new(),
        })
    }

    /// What was found, with the tracked files below `folder` that are left out on purpose.
    fn finish(mut self, folder: &[u8]) -> (Vec<File>, Seen) {
        let is_left_out = |it: &&Tracked| it.is_left_out && it.path.starts_with(folder);
        for tracked in self.tracked.iter().filter(is_left_out) {
            if let Some(mode) = mode_text(tracked.mode) {
                self.files.push(File {
                    path: tracked.path.clone(),
                    mode,
                    id: tracked.id,
                });
            }
        }
        self.files.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        self.files.dedup_by(|a, b| a.path == b.path);
        (self.files, self.seen)
    }
}

fn failed(place: &Path, error: &io::Error) -> Problem {
    Problem::Store(format!("{}: {error}", place.display()))
}

fn tracked_files(git: &gix::Repository) -> Result<Vec<Tracked>, Problem> {
    let index = git
        .index_or_empty()
        .map_err(|error| Problem::Store(error.to_string()))?;
    let of_entry = |entry: &gix::index::Entry| Tracked {
        path: entry.path(&index).to_vec(),
        id: entry.id,
        mode: entry.mode,
        size: entry.stat.size,
        modified: (
            i64::from(entry.stat.mtime.secs),
            i64::from(entry.stat.mtime.nsecs),
        ),
        is_left_out: entry.flags.contains(Flags::SKIP_WORKTREE),
    };
    let mut tracked: Vec<Tracked> = index.entries().iter().map(of_entry).collect();
    // A file in conflict has several entries.
    tracked.dedup_by(|a, b| a.path == b.path);
    Ok(tracked)
}

fn ignore_rules(
    root: &Path,
    git: Option<&gix::Repository>,
) -> Result<gix::worktree::Stack, Problem> {
    let parse = gix::ignore::search::Ignore::default();
    let mut buffer = Vec::new();
    let of_repository = match git {
        Some(git) => {
            let place = git.common_dir();
            gix::ignore::Search::from_git_dir(place, None, &mut buffer, parse)
                .map_err(|error| failed(place, &error))?
        }
        None => gix::ignore::Search::default(),
    };
    let own = gix::ignore::Search::default();
    let source = Source::WorktreeThenIdMappingIfNotSkipped;
    let state = State::IgnoreStack(Ignore::new(own, of_repository, None, source, parse));
    let case = gix::glob::pattern::Case::Sensitive;
    Ok(gix::worktree::Stack::new(
        root,
        state,
        case,
        buffer,
        Vec::new(),
    ))
}

fn mode_text(mode: Mode) -> Option<&'static str> {
    match mode {
        Mode::FILE => Some("100644"),
        Mode::FILE_EXECUTABLE => Some("100755"),
        Mode::SYMLINK => Some("120000"),
        Mode::COMMIT => Some("160000"),
        _ => None,
    }
}

/// Whether untracked files below a folder count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Below {
    Counts,
    /// The folder is ignored: only tracked files count.
    Ignored,
}

struct Look<'a> {
    root: &'a Path,
    objects: &'a Objects,
    ignored: gix::worktree::Stack,
    tracked: Vec<Tracked>,
    /// A file changed at this time or later may differ from what the index says, as in Git.
    index_written: (i64, i64),
    now: SystemTime,
    before: Seen,
    seen: Seen,
    files: Vec<File>,
}

impl Look<'_> {
    /// Looks at the folder `path` (ending in `/`, or empty), and all below.
    fn folder(&mut self, path: &mut Vec<u8>, depth: usize, below: Below) -> Result<(), Problem> {
        let place = self.place(path);
        if depth > MAX_DEPTH {
            return Err(Problem::Store(format!(
                "{}: too many folders",
                place.display()
            )));
        }
        let entries = std::fs::read_dir(&place).map_err(|error| failed(&place, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| failed(&place, &error))?;
            let name = entry.file_name();
            if name == ".git" {
                continue;
            }
            let length = path.len();
            path.extend_from_slice(name.as_bytes());
            match entry.metadata() {
                Ok(metadata) => self.entry(path, depth, below, &metadata)?,
                // Deleted since the folder was listed.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(&entry.path(), &error)),
            }
            path.truncate(length);
        }
        Ok(())
    }

    fn place(&self, path: &[u8]) -> PathBuf {
        self.root.join(std::ffi::OsStr::from_bytes(path))
    }

    fn entry(
        &mut self,
        path: &mut Vec<u8>,
        depth: usize,
        below: Below,
        metadata: &std::fs::Metadata,
    ) -> Result<(), Problem> {
        if metadata.is_dir() {
            return self.subfolder(path, depth, below);
        }
        let is_link = metadata.is_symlink();
        if !metadata.is_file() && !is_link {
            return Ok(());
        }
        let tracked = self.find(path);
        if tracked.is_none() && (below == Below::Ignored || self.is_ignored(path, Mode::FILE)?) {
            return Ok(());
        }
        if self.files.len() >= MAX_FILES {
            let text = format!("{}: over {MAX_FILES} files", self.root.display());
            return Err(Problem::Store(text));
        }
        let marks = Marks::of(metadata);
        let id = match self.known(path, &marks, tracked, is_link) {
            Some(id) => id,
            None => match self.store(path, &marks, is_link)? {
                Some(id) => id,
                None => return Ok(()),
            },
        };
        if !self.is_racy(&marks) {
            self.seen.insert(path.clone(), (marks, id));
        }
        let is_executable = metadata.mode() & 0o100 != 0;
        self.files.push(File {
            path: path.clone(),
            mode: match (is_link, is_executable) {
                (true, _) => "120000",
                (false, true) => "100755",
                (false, false) => "100644",
            },
            id,
        });
        Ok(())
    }

    fn subfolder(&mut self, path: &mut Vec<u8>, depth: usize, below: Below) -> Result<(), Problem> {
        let place = self.place(path);
        if place.join(".git").exists() {
            // A repository of its own: a submodule when it is tracked, else none of ours.
            if let Some(at) = self
                .find(path)
                .filter(|at| self.tracked[*at].mode == Mode::COMMIT)
            {
                self.files.push(File {
                    path: path.clone(),
                    mode: "160000",
                    id: self.tracked[at].id,
                });
            }
            return Ok(());
        }
        let is_ignored = below == Below::Ignored || self.is_ignored(path, Mode::DIR)?;
        path.push(b'/');
        let below = if is_ignored {
            Below::Ignored
        } else {
            Below::Counts
        };
        if below == Below::Counts || self.tracks_below(path) {
            self.folder(path, depth + 1, below)?;
        }
        Ok(())
    }

    fn is_ignored(&mut self, path: &[u8], mode: Mode) -> Result<bool, Problem> {
        let relative = Path::new(std::ffi::OsStr::from_bytes(path));
        // Ignore files are read from the folder, never from the index.
        match self
            .ignored
            .at_path(relative, Some(mode), &gix::objs::find::Never)
        {
            Ok(platform) => Ok(platform.is_excluded()),
            Err(error) => Err(failed(&self.place(path), &error)),
        }
    }

    fn find(&self, path: &[u8]) -> Option<usize> {
        self.tracked
            .binary_search_by(|it| it.path.as_slice().cmp(path))
            .ok()
    }

    fn tracks_below(&self, folder: &[u8]) -> bool {
        let at = self
            .tracked
            .partition_point(|it| it.path.as_slice() < folder);
        self.tracked
            .get(at)
            .is_some_and(|it| it.path.starts_with(folder))
    }

    fn is_racy(&self, marks: &Marks) -> bool {
        let newest = marks.modified.max(marks.changed);
        let since = |it: SystemTime| {
            it.duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or_default()
        };
        let limit = since(self.now).saturating_sub(RACY);
        newest
            >= (
                limit.as_secs().cast_signed(),
                i64::from(limit.subsec_nanos()),
            )
    }

    /// The id of a file that was not changed since it was last read, by us or by Git.
    fn known(
        &self,
        path: &[u8],
        marks: &Marks,
        tracked: Option<usize>,
        is_link: bool,
    ) -> Option<ObjectId> {
        if let Some((before, id)) = self.before.get(path)
            && before == marks
        {
            return Some(*id);
        }
        let tracked = self.tracked.get(tracked?)?;
        let is_same_kind = (tracked.mode == Mode::SYMLINK) == is_link;
        let is_unchanged = tracked.modified == marks.modified
            && u64::from(tracked.size) == marks.size
            && tracked.modified.1 != 0
            && is_same_kind
            && marks.modified < self.index_written;
        // Where a filter stands between (line ends, LFS), the stored size is another one.
        let stored = || self.objects.header(tracked.id).ok();
        (is_unchanged && stored() == Some((Kind::Blob, marks.size))).then_some(tracked.id)
    }

    /// Stores the content; `None` when the file is gone by now.
    fn store(
        &self,
        path: &[u8],
        marks: &Marks,
        is_link: bool,
    ) -> Result<Option<ObjectId>, Problem> {
        let place = self.place(path);
        let in_store = |it: crate::objects::ObjectError| Problem::Store(it.to_string());
        if marks.size > MAX_FILE_BYTES {
            let instead = format!("content is not stored: {marks:?}");
            let id = crate::objects::id_of(Kind::Blob, instead.as_bytes());
            return id.map(Some).map_err(in_store);
        }
        let content = if is_link {
            std::fs::read_link(&place).map(|target| target.as_os_str().as_bytes().to_vec())
        } else {
            std::fs::read(&place)
        };
        match content {
            Ok(content) => {
                let id = self.objects.write(Kind::Blob, &content);
                id.map(Some).map_err(in_store)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(&place, &error)),
        }
    }
}
