//! How many of the recorded cases agree. These numbers may only grow; when one does, raise it here.
//! What is behind the missing ones stands beside each number.

/// `parse.jsonl` in mode `GoYaml2`, of 4,067: the sign of `-0.0`, two binary texts that are no UTF-8
/// (Go writes their replacement characters as escapes), and two keys that are the same in JSON
/// alone, whose order in Go is random.
pub(crate) const PARSE_V2: usize = 4063;
/// `parse.jsonl`, whether strict mode accepts, of 4,067: keys that are the same in JSON alone.
pub(crate) const PARSE_STRICT: usize = 4066;
/// `parse.jsonl` in mode `GoYaml3`, of 4,067: as above, and a repeated `<<`, which is taken here.
pub(crate) const PARSE_V3: usize = 4063;
/// `parse.jsonl`, of 4,067: where both fail the words and the line agree. The words about keys that
/// JSON cannot have quote them in Go's notation.
pub(crate) const ERROR_TEXT: usize = 4050;
/// `stream.jsonl`, of 600: all.
pub(crate) const STREAM: usize = 600;
/// `emit.jsonl` in the dialect of sigs.k8s.io/yaml, of 3,964: U+0085, which its detour over JSON
/// turns into a space (here it is kept), and keys whose order in Go is random.
pub(crate) const EMIT_V2: usize = 3815;
/// `emit.jsonl` in the dialect of go-yaml v3, of 3,964: a whole float beyond `i64`.
pub(crate) const EMIT_V3: usize = 3963;
/// `emit.jsonl` as kustomize sets go-yaml v3, of 3,964; as above.
pub(crate) const EMIT_KUSTOMIZE: usize = 3963;
/// `json.jsonl`, of 2,000: numbers above `i64::MAX`, which stay exact here.
pub(crate) const JSON: usize = 1999;
/// The share of the files of `corpus.txt` that agree, in percent: all 6,014.
pub(crate) const CORPUS_PERCENT: usize = 100;
