//! `index.yaml` of a Helm repository: tens of megabytes, of which one chart is wanted.
//!
//! Read [`read`]. The file is read line by line, and only the lines of the wanted chart are kept
//! and parsed: `helm repo index` writes block style, with one key a line. An index in another style
//! (JSON) is parsed as a whole, within the limits of `yaml`.

use std::io::{self, BufRead, Read};

use yaml::Value;

use crate::chart::ChartProblem;
use crate::chart::digest::Digest;

/// The most text of one chart: 10,000 versions of 2 KB.
const MAX_CHART_BYTES: usize = 32 * 1024 * 1024;

/// The most of an index in JSON that is read: as much as `yaml` parses at once.
const MAX_JSON_BYTES: u64 = 64 * 1024 * 1024;

/// The longest line: descriptions and inlined icons are in one.
const MAX_LINE_BYTES: u64 = 4 * 1024 * 1024;

/// One version of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) version: String,
    /// Where the archive is: absolute, or from the index.
    pub(crate) urls: Vec<String>,
    /// What the archive must be, when the index says so.
    pub(crate) digest: Option<Digest>,
}

/// The versions of a chart, in the order of the index; `None` when the index has no such chart.
///
/// # Errors
/// When the text is no index, or over a limit.
pub(crate) fn read(
    mut index: impl BufRead,
    chart: &str,
) -> Result<Option<Vec<Entry>>, ChartProblem> {
    let unreadable = |error: io::Error| ChartProblem::Index(error.to_string());
    let start = index.fill_buf().map_err(unreadable)?;
    let is_json = start.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let entries = if is_json {
        let mut text = Vec::new();
        index
            .take(MAX_JSON_BYTES)
            .read_to_end(&mut text)
            .map_err(unreadable)?;
        parse(&text)?.get("entries").cloned()
    } else {
        match Lines::new(index).of_chart(chart).map_err(unreadable)? {
            Some(text) => Some(parse(&text)?),
            None => None,
        }
    };
    let versions = entries.as_ref().and_then(|it| it.get(chart)?.as_list());
    Ok(versions.map(|all| all.iter().filter_map(entry).collect()))
}

fn parse(text: &[u8]) -> Result<Value, ChartProblem> {
    let unreadable = |problem: String| ChartProblem::Index(problem);
    let text = std::str::from_utf8(text).map_err(|it| unreadable(it.to_string()))?;
    yaml::parse_str(text).map_err(|it| unreadable(it.to_string()))
}

/// An entry without a version or an address is left out, as Helm does.
fn entry(value: &Value) -> Option<Entry> {
    let urls = value.get("urls")?.as_list()?;
    let urls: Vec<String> = urls
        .iter()
        .filter_map(|it| it.as_str().map(str::to_owned))
        .collect();
    Some(Entry {
        version: value.get("version")?.as_str()?.to_owned(),
        urls,
        digest: value
            .get("digest")
            .and_then(Value::as_str)
            .and_then(Digest::parse),
    })
}

struct Lines<R> {
    input: R,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R) -> Self {
        Lines {
            input,
            line: Vec::new(),
        }
    }

    /// The next line without its end.
    fn next(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        let mut limited = (&mut self.input).take(MAX_LINE_BYTES);
        if limited.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        if self.line.last() != Some(&b'\n') && self.line.len() as u64 == MAX_LINE_BYTES {
            let text = format!("a line is longer than {MAX_LINE_BYTES} bytes");
            return Err(io::Error::other(text));
        }
        Ok(Some(self.line.trim_ascii_end()))
    }

    /// The lines of one chart below `entries:`, as a document of their own.
    fn of_chart(mut self, chart: &str) -> io::Result<Option<Vec<u8>>> {
        let mut keys_at: Option<usize> = None;
        let mut is_below = false;
        let mut kept: Option<Vec<u8>> = None;
        let mut is_kept = false;
        while let Some(line) = self.next()? {
            let text = line.trim_ascii_start();
            if text.is_empty() || text.starts_with(b"#") {
                if let Some(kept) = kept.as_mut().filter(|_| is_kept) {
                    keep(kept, line)?;
                }
                continue;
            }
            let indent = line.len() - text.len();
            let is_item = text == b"-" || text.starts_with(b"- ");
            if indent == 0 && !is_item {
                is_below = key(text) == Some("entries");
                is_kept = false;
                continue;
            }
            if !is_below {
                continue;
            }
            let is_key = !is_item && indent <= *keys_at.get_or_insert(indent);
            if is_key {
                is_kept = key(text) == Some(chart);
                // The last of equal keys counts, as in Go.
                if is_kept {
                    kept = Some(Vec::new());
                }
            }
            if let Some(kept) = kept.as_mut().filter(|_| is_kept) {
                keep(kept, line)?;
            }
        }
        Ok(kept)
    }
}

fn keep(kept: &mut Vec<u8>, line: &[u8]) -> io::Result<()> {
    if kept.len() + line.len() > MAX_CHART_BYTES {
        let text = format!("one chart has more than {MAX_CHART_BYTES} bytes");
        return Err(io::Error::other(text));
    }
    kept.extend_from_slice(line);
    kept.push(b'\n');
    Ok(())
}

/// The key of a line `key:` or `"key": value`.
fn key(text: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(text).ok()?;
    for quote in ['"', '\''] {
        if let Some(rest) = text.strip_prefix(quote) {
            let (key, rest) = rest.split_once(quote)?;
            return rest.trim_start().starts_with(':').then_some(key);
        }
    }
    let (key, rest) = text.split_once(':')?;
    (rest.is_empty() || rest.starts_with(' ')).then(|| key.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_wanted_chart_is_taken_from_an_index() {
        let check = |index: &str, chart: &str, want: Option<&[&str]>| {
            let got = read(index.as_bytes(), chart).unwrap();
            let got = got.map(|all| all.into_iter().map(|it| it.version).collect::<Vec<_>>());
            let want = want.map(|all| all.iter().map(|it| (*it).to_owned()).collect());
            assert_eq!(got, want, "{chart} in {index}");
        };
        let index = "apiVersion: v1\n# made by hand\nentries:\n  alpine:\n  - version: 1.0.0\n    \
                     description: |\n      redis:\n      - no\n\n    urls: [a.tgz]\n  - version: \
                     0.9.0\n    urls:\n    - b.tgz\n  \"redis\":\n    - {version: 2.0.0, urls: \
                     [c.tgz]}\n    - version: 1.0.0-rc.1\n      urls: [d.tgz]\n    - urls: [no.tgz]\ngenerated: now\n";
        check(index, "alpine", Some(&["1.0.0", "0.9.0"]));
        check(index, "redis", Some(&["2.0.0", "1.0.0-rc.1"]));
        check(index, "no", None);
        check(index, "generated", None);
        check("apiVersion: v1\nentries: {}\n", "x", None);
        check(
            "entries:\n    x:\n    - version: 1.0.0\n      urls: [a]\n",
            "x",
            Some(&["1.0.0"]),
        );
        check(
            "{\"entries\":{\"x\":[{\"version\":\"1.0.0\",\"urls\":[\"a\"]}]}}",
            "x",
            Some(&["1.0.0"]),
        );
    }

    #[test]
    fn an_index_that_cannot_be_read_is_told() {
        let check = |index: &str| {
            let got = read(index.as_bytes(), "x");
            assert!(matches!(got, Err(ChartProblem::Index(_))), "{got:?}");
        };
        check("entries:\n  x:\n  - {version\n");
        check("{\"entries\":");
        check(&format!(
            "entries:\n  x:\n  - version: {}\n",
            "1".repeat(5_000_000)
        ));
    }
}
