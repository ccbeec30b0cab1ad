//! Chart archives: a `.tgz` as the files of a chart.
//!
//! Read [`files_of`]. Nothing in an archive is trusted: its size, number of entries and depth of
//! archives within archives are bounded, and every name stays inside the chart's folder.

use std::io::{self, Read};

use flate2::read::GzDecoder;
use tar::{Archive, EntryType};

use crate::{Error, File};

/// What a chart and all archives in it may take.
pub(crate) struct Budget {
    n_bytes: u64,
    n_files: usize,
    depth: usize,
}

/// Helm's own limit of a chart that was unpacked.
const MAX_BYTES: u64 = 100 << 20;
/// Helm's own limit of one file.
pub(crate) const MAX_FILE_BYTES: u64 = 5 << 20;
/// The largest public charts have some 3,000 files.
const MAX_FILES: usize = 50_000;
/// Archives within archives; three are rare.
const MAX_DEPTH: usize = 16;

impl Default for Budget {
    fn default() -> Self {
        Budget {
            n_bytes: MAX_BYTES,
            n_files: MAX_FILES,
            depth: MAX_DEPTH,
        }
    }
}

impl Budget {
    /// Takes one file of this size.
    pub(crate) fn take(&mut self, n_bytes: u64) -> Result<(), Error> {
        let left = self.n_bytes.checked_sub(n_bytes).ok_or_else(|| {
            let problem = "decompressed chart is larger than the maximum size";
            Error::text(format!("{problem} {MAX_BYTES}"))
        })?;
        self.n_bytes = left;
        self.n_files = self.n_files.checked_sub(1).ok_or_else(|| {
            Error::text(format!(
                "chart has more than the maximum of {MAX_FILES} files"
            ))
        })?;
        Ok(())
    }

    /// Goes into a folder or archive inside of another chart.
    pub(crate) fn enter<T>(
        &mut self,
        inner: impl FnOnce(&mut Self) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Some(depth) = self.depth.checked_sub(1) else {
            let problem = "charts are nested deeper than the maximum";
            return Err(Error::text(format!("{problem} of {MAX_DEPTH}")));
        };
        self.depth = depth;
        let result = inner(self);
        self.depth += 1;
        result
    }
}

/// The files of an archive, names without the folder that all of them are in.
///
/// # Errors
/// [`Error::Text`] for bytes that are no archive, names that lead elsewhere, links, and whatever is
/// over a limit.
pub(crate) fn files_of(bytes: &[u8], budget: &mut Budget) -> Result<Vec<File>, Error> {
    check_header(bytes)?;
    let mut archive = Archive::new(GzDecoder::new(bytes));
    let mut files = Vec::new();
    for entry in archive.entries().map_err(|error| broken(&error))? {
        let mut entry = entry.map_err(|error| broken(&error))?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        match entry.header().entry_type() {
            EntryType::Directory | EntryType::XGlobalHeader | EntryType::XHeader => continue,
            EntryType::Symlink | EntryType::Link => {
                let problem = format!("chart illegally contains a link: {}", gotmpl::quote(&path));
                return Err(Error::text(problem));
            }
            _ if path.ends_with('/') => continue,
            _ => {}
        }
        let name = name_in_chart(&path)?;
        let size = entry.size();
        if size > MAX_FILE_BYTES {
            let path = gotmpl::quote(&path);
            return Err(Error::text(format!(
                "decompressed chart file {path} is larger than the maximum file size {MAX_FILE_BYTES}"
            )));
        }
        budget.take(size)?;
        let mut data = Vec::new();
        let mut limited = (&mut entry).take(MAX_FILE_BYTES);
        limited
            .read_to_end(&mut data)
            .map_err(|error| broken(&error))?;
        files.push(File::new(&name, &data));
    }
    if files.is_empty() {
        return Err(Error::text("no files in chart archive"));
    }
    Ok(files)
}

/// What Go's gzip reader says of the first bytes.
fn check_header(bytes: &[u8]) -> Result<(), Error> {
    const HEADER: usize = 10;
    match bytes.len() {
        0 => Err(Error::text("EOF")),
        n if n < HEADER => Err(Error::text("unexpected EOF")),
        _ if !bytes.starts_with(&[0x1f, 0x8b]) => Err(Error::text("gzip: invalid header")),
        _ => Ok(()),
    }
}

fn broken(error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::text("unexpected EOF"),
        io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            Error::text("gzip: invalid checksum")
        }
        _ => Error::text("archive/tar: invalid tar header"),
    }
}

/// The path behind the first folder, when it stays there.
fn name_in_chart(path: &str) -> Result<String, Error> {
    let is_windows = path.contains('\\');
    let path = if is_windows {
        path.replace('\\', "/")
    } else {
        path.to_owned()
    };
    let (folder, rest) = path.split_once('/').unwrap_or((&path, ""));
    if rest.starts_with('/') {
        return Err(Error::text("chart illegally contains absolute paths"));
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.pop().is_none() => {
                return Err(Error::text("chart illegally references parent directory"));
            }
            ".." => {}
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        let path = gotmpl::quote(&path);
        return Err(Error::text(format!(
            "chart illegally contains content outside the base directory: {path}"
        )));
    }
    let name = parts.join("/");
    let is_drive = name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && name.get(1..3) == Some(":/");
    if is_drive {
        return Err(Error::text("chart contains illegally named files"));
    }
    if folder == "Chart.yaml" {
        return Err(Error::text("chart yaml not in base directory"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_the_chart() {
        let check = |path: &str, want: Result<&str, &str>| {
            let got = name_in_chart(path).map_err(|error| error.to_string());
            let got = got.as_deref().map_err(String::as_str);
            assert_eq!(got, want, "{path}");
        };
        check("web/Chart.yaml", Ok("Chart.yaml"));
        check("web/templates/../x", Ok("x"));
        check("web\\templates\\x", Ok("templates/x"));
        check(
            "web/../../x",
            Err("chart illegally references parent directory"),
        );
        check("web//etc/x", Err("chart illegally contains absolute paths"));
        check("web/c:/x", Err("chart contains illegally named files"));
        check(
            "Chart.yaml",
            Err("chart illegally contains content outside the base directory: \"Chart.yaml\""),
        );
    }
}
