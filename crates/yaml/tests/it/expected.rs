//! How many of the recorded cases agree. These numbers may only grow; when one does, raise it here.
//! What is behind the missing ones stands beside each number.

/// `parse.jsonl` in mode `GoYaml2`, of 4,067. The parser library follows YAML 1.2 where go-yaml
/// follows 1.1: it takes tabs at the start of a block scalar, `\/`, `%YAML 1.2`, and it refuses
/// text behind a quoted scalar where go-yaml stops reading in silence.
pub(crate) const PARSE_V2: usize = 3990;
/// `parse.jsonl`, whether strict mode accepts, of 4,067; as above.
pub(crate) const PARSE_STRICT: usize = 4000;
/// `parse.jsonl` in mode `GoYaml3`, of 4,067; as above.
pub(crate) const PARSE_V3: usize = 3995;
/// `parse.jsonl`, of 4,067: where both fail the words and the line agree. The parser library sees
/// some errors at another place, or none of those about tabs and escapes.
pub(crate) const ERROR_TEXT: usize = 3854;
/// `stream.jsonl`, of 600: `...` without a document before it, which go-yaml refuses.
pub(crate) const STREAM: usize = 574;
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
