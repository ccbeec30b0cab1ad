//! Chart archives: a `.tgz` as the files of a chart.
//!
//! Read [`files_of`]. Nothing in an archive is trusted: its size, number of entries and depth of
//! archives within archives are bounded, and every name stays inside the chart's folder.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use bytes::Bytes;
use flate2::bufread::GzDecoder;
use flate2::{Crc, Decompress, FlushDecompress, Status};
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
/// A header and what fills the last block of a file, of 512 bytes each.
const MAX_AROUND_FILE: u64 = 2 * 512;
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
        let left = self.n_bytes.checked_sub(n_bytes).ok_or_else(too_large)?;
        self.n_bytes = left;
        self.n_files = self.n_files.checked_sub(1).ok_or_else(|| {
            Error::text(format!(
                "chart has more than the maximum of {MAX_FILES} files"
            ))
        })?;
        Ok(())
    }

    /// What an archive of files within it may hold, with all that tar puts around them.
    fn unpacked_bytes(&self) -> u64 {
        let around =
            MAX_AROUND_FILE.saturating_mul(u64::try_from(self.n_files).unwrap_or(u64::MAX));
        self.n_bytes.saturating_add(around)
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

fn too_large() -> Error {
    let problem = "decompressed chart is larger than the maximum size";
    Error::text(format!("{problem} {MAX_BYTES}"))
}

/// As much room is made at once where an archive tells that it needs it.
const MAX_ROOM: usize = 8 << 20;

/// How much an archive says that it unpacks to: the last four bytes of gzip. It may say anything.
fn told_size(packed: &[u8]) -> usize {
    let told = packed
        .last_chunk()
        .map_or(0, |told| u32::from_le_bytes(*told));
    usize::try_from(told).unwrap_or(usize::MAX)
}

/// Room beside what an archive tells, so that the unpacker sees the end in one go.
const ROOM_FOR_END: usize = 1 << 10;

/// An archive as far as it can be unpacked.
struct Unpacked<'p> {
    bytes: Bytes,
    end: End<'p>,
}

/// What comes behind the bytes of an archive.
#[derive(Clone, Copy)]
enum End<'p> {
    /// What goes wrong there.
    Broken(io::ErrorKind),
    /// The checksum and the size of the bytes before, and whatever follows.
    Trailer(&'p [u8]),
}

impl<'p> Unpacked<'p> {
    fn new(packed: &'p [u8], budget: &Budget) -> Result<Self, Error> {
        let mut decoder = GzDecoder::new(packed);
        // It has read the header by now, and tells what is wrong there.
        if let Err(problem) = decoder.read(&mut []) {
            return Ok(Unpacked {
                bytes: Bytes::new(),
                end: End::Broken(problem.kind()),
            });
        }
        let mut rest = decoder.into_inner();
        let mut bytes = Vec::with_capacity(told_size(packed).min(MAX_ROOM) + ROOM_FOR_END);
        let room = usize::try_from(budget.unpacked_bytes()).unwrap_or(usize::MAX);
        let mut inflate = Decompress::new(false);
        let end = loop {
            let n_before = inflate.total_in();
            let status = inflate.decompress_vec(rest, &mut bytes, FlushDecompress::None);
            if bytes.len() >= room {
                return Err(too_large());
            }
            let n_read = usize::try_from(inflate.total_in() - n_before).unwrap_or(usize::MAX);
            rest = rest.get(n_read..).unwrap_or_default();
            match status {
                Ok(Status::StreamEnd) => break End::Trailer(rest),
                Ok(_) if bytes.len() == bytes.capacity() => bytes.reserve(ROOM_FOR_END),
                Ok(_) => break End::Broken(io::ErrorKind::UnexpectedEof),
                Err(_) => break End::Broken(io::ErrorKind::InvalidInput),
            }
        };
        let bytes = bytes.into();
        Ok(Unpacked { bytes, end })
    }

    /// What is wrong behind the last byte, if anything. The checksum is looked at only here: who
    /// reads an archive stops before its end, and takes what is there as it is, as in Helm.
    fn problem(&self) -> Option<io::Error> {
        let trailer = match self.end {
            End::Broken(kind) => return Some(kind.into()),
            End::Trailer(trailer) => trailer,
        };
        let Some((told, _)) = trailer.split_first_chunk() else {
            return Some(io::ErrorKind::UnexpectedEof.into());
        };
        let mut crc = Crc::new();
        crc.update(&self.bytes);
        let found = [crc.sum().to_le_bytes(), crc.amount().to_le_bytes()];
        let is_right = found.as_flattened() == <[u8; 8]>::as_slice(told);
        (!is_right).then(|| io::ErrorKind::InvalidInput.into())
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            bytes: Cursor::new(&self.bytes),
            unpacked: self,
        }
    }
}

/// Reads what was unpacked; who reads on learns what is wrong behind it.
struct Reader<'u> {
    bytes: Cursor<&'u [u8]>,
    unpacked: &'u Unpacked<'u>,
}

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.bytes.read(buffer)? {
            0 if !buffer.is_empty() => self.unpacked.problem().map_or(Ok(0), Err),
            n_bytes => Ok(n_bytes),
        }
    }
}

impl Seek for Reader<'_> {
    /// As it is for [`Cursor`], but not beyond the end.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = self.bytes.seek(to)?;
        let is_there = usize::try_from(at).is_ok_and(|at| at <= self.bytes.get_ref().len());
        if is_there {
            return Ok(at);
        }
        let cut_off = || io::Error::from(io::ErrorKind::UnexpectedEof);
        Err(self.unpacked.problem().unwrap_or_else(cut_off))
    }
}

/// The files of an archive, names without the folder that all of them are in.
///
/// # Errors
/// [`Error::Text`] for bytes that are no archive, names that lead elsewhere, links, and whatever is
/// over a limit.
pub(crate) fn files_of(bytes: &[u8], budget: &mut Budget) -> Result<Vec<File>, Error> {
    check_header(bytes)?;
    let unpacked = Unpacked::new(bytes, budget)?;
    let mut archive = Archive::new(unpacked.reader());
    let mut files = Vec::new();
    for entry in archive
        .entries_with_seek()
        .map_err(|error| broken(&error))?
    {
        let mut entry = entry.map_err(|error| broken(&error))?;
        let path = entry.path_bytes();
        let path = String::from_utf8_lossy(&path);
        let kind = entry.header().entry_type();
        match kind {
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
        let size = usize::try_from(size).expect("no file is larger than its limit");
        let start = usize::try_from(entry.raw_file_position()).unwrap_or(usize::MAX);
        let there = match kind {
            EntryType::GNUSparse => None,
            _ => part(&unpacked.bytes, start, size),
        };
        let data = match there {
            Some(data) => data,
            None => read(&mut entry, size).map_err(|error| broken(&error))?,
        };
        files.push(File::new(&name, data));
    }
    if files.is_empty() {
        return Err(Error::text("no files in chart archive"));
    }
    Ok(files)
}

/// Bytes that were unpacked, if all of them are there.
fn part(unpacked: &Bytes, start: usize, size: usize) -> Option<Bytes> {
    let range = start..start.checked_add(size)?;
    (range.end <= unpacked.len()).then(|| unpacked.slice(range))
}

/// What an entry gives that is not there as it is: one with holes, or one that was cut off.
fn read(entry: &mut impl Read, size: usize) -> io::Result<Bytes> {
    let mut data = vec![0; size];
    entry.read_exact(&mut data)?;
    Ok(data.into())
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

    /// A chart of one file, of 1,000 bytes that cannot be packed any smaller.
    fn archive() -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        let data: Vec<u8> = (0..1_000_u32)
            .map(|n| u8::try_from(n * n % 251).expect("below 251"))
            .collect();
        header.set_size(1_000);
        header.set_cksum();
        let added = tar.append_data(&mut header, "web/Chart.yaml", &data[..]);
        added.expect("room");
        tar.into_inner().expect("room")
    }

    fn packed(bytes: &[u8]) -> Vec<u8> {
        let mut packed = flate2::read::GzEncoder::new(bytes, flate2::Compression::none());
        let mut all = Vec::new();
        packed.read_to_end(&mut all).expect("room");
        all
    }

    #[test]
    fn what_is_cut_off_is_said_where_it_is_read() {
        let check = |bytes: &[u8], want: Result<usize, &str>| {
            let got = files_of(bytes, &mut Budget::default());
            let got = got.map(|files| files[0].data.len());
            let got = got.map_err(|error| error.to_string());
            assert_eq!(
                got.as_ref().map_err(String::as_str),
                want.as_ref().map_err(|it| *it)
            );
        };
        let whole = archive();
        check(&packed(&whole), Ok(1_000));
        check(&packed(&whole)[..800], Err("unexpected EOF"));
        check(&packed(&whole[..800]), Err("unexpected EOF"));
        check(&packed(&whole[..512 + 1_000]), Err("unexpected EOF"));
        // Nobody reads behind the two empty blocks.
        let n_packed = packed(&whole).len();
        check(&packed(&whole)[..n_packed - 8], Ok(1_000));
        check(&packed(&whole[..512 + 1_024]), Ok(1_000));
    }

    #[test]
    fn the_checksum_counts_for_who_reads_to_the_end() {
        let check = |bytes: &[u8], want: Result<usize, &str>| {
            let mut packed = packed(bytes);
            let n_packed = packed.len();
            packed[n_packed - 8] ^= 1;
            let got = files_of(&packed, &mut Budget::default());
            let got = got.map(|files| files.len());
            let got = got.map_err(|error| error.to_string());
            assert_eq!(got, want.map_err(str::to_owned));
        };
        let whole = archive();
        check(&whole, Ok(1));
        check(&whole[..512 + 1_024], Err("gzip: invalid checksum"));
    }

    #[test]
    fn an_archive_unpacks_to_no_more_than_a_chart_may_hold() {
        let mut budget = Budget {
            n_bytes: 100,
            n_files: 1,
            depth: 1,
        };
        let zeros = packed(&[0; 4_096]);
        let got = files_of(&zeros, &mut budget).map_err(|error| error.to_string());
        let want = "decompressed chart is larger than the maximum size 104857600";
        assert_eq!(got.map(|files| files.len()), Err(want.to_owned()));
    }
}
