//! Whatever the bytes, a build ends without a panic and within its limits. Seeds and budgets are fixed.

use kustomize::{Error, MAX_DEPTH, Options, build};
use manifest::{Recorder, TreePath};

use crate::generated::Generator;
use crate::tree::Files;

/// Kustomizations that are damaged.
const SEEDS: u64 = 300;

/// Texts that damage, each in its way.
const PIECES: [&str; 24] = [
    "\n- ",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "null",
    "\"",
    "'",
    "&a ",
    "*a",
    "<<: *a\n",
    "$patch: delete\n",
    "- $patch: replace\n",
    "kind: List\nitems: ",
    "---\n",
    "\t",
    "é",
    "fieldPaths: [a.[b=c.*.0.-]]\n",
    "[=",
    "!!int x",
    "|\n",
    "../",
    "name: \n",
];

fn damaged(seed: u64) -> Files {
    let generator = Generator::new(seed);
    let mut numbers = Generator::new(!seed);
    let mut files = Files::default();
    for (path, mut text) in generator.files_of_a_kustomization() {
        let n_damages = numbers.next(8).saturating_sub(6);
        for _ in 0..n_damages {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let at = places
                .get(numbers.next(places.len() + 1))
                .copied()
                .unwrap_or(text.len());
            match numbers.next(3) {
                0 => text.insert_str(at, PIECES[numbers.next(PIECES.len())]),
                1 => text.truncate(at),
                _ => {
                    let rest = text.split_off(at);
                    text.push_str(rest.get(1..).unwrap_or_default());
                }
            }
        }
        files.add(&path, text.as_bytes());
    }
    files
}

#[test]
fn damaged_kustomizations_are_built_or_refused() {
    let mut n_built = 0;
    for seed in 0..SEEDS {
        let files = damaged(seed);
        let recorder = Recorder::new(&files);
        let path = TreePath::parse("overlay").unwrap();
        n_built += usize::from(build(&recorder, &path, &Options::default()).is_ok());
    }
    eprintln!("damaged: {n_built} of {SEEDS} are built all the same");
}

#[test]
fn kustomizations_in_each_other_have_a_limit() {
    let mut files = Files::default();
    for number in 0..=MAX_DEPTH {
        let text = format!("resources: [../k{}]\n", number + 1);
        files.add(&format!("k{number}/kustomization.yaml"), text.as_bytes());
    }
    let recorder = Recorder::new(&files);
    let path = TreePath::parse("k0").unwrap();
    let error = build(&recorder, &path, &Options::default())
        .map(|_| ())
        .unwrap_err();
    assert!(
        matches!(
            error,
            Error::Limit {
                limit: MAX_DEPTH,
                ..
            }
        ),
        "{error}"
    );
}

#[test]
fn remote_bases_that_are_missing_are_named_all_at_once() {
    let mut files = Files::default();
    files.add(
        "a/kustomization.yaml",
        b"resources: [../b, 'https://github.com/o/r//base?ref=v1']\nnamePrefix: x-\n",
    );
    files.add("b/kustomization.yaml", b"resources: [github.com/o/other]\n");
    let recorder = Recorder::new(&files);
    let path = TreePath::parse("a").unwrap();
    let Err(Error::Missing(missing)) = build(&recorder, &path, &Options::default()) else {
        panic!("two bases are missing");
    };
    let urls: Vec<String> = missing.iter().map(ToString::to_string).collect();
    assert_eq!(
        urls,
        ["github.com/o/other", "https://github.com/o/r//base?ref=v1"]
    );
}

#[test]
fn a_fetched_base_is_built_where_it_is_named() {
    let mut files = Files::default();
    let url = "https://github.com/o/r//base?ref=v1";
    let text = format!("resources: ['{url}']\nnamePrefix: x-\n");
    files.add("a/kustomization.yaml", text.as_bytes());
    let mut other = Files::default();
    other.add(
        "base/kustomization.yaml",
        b"configMapGenerator: [{name: c, literals: [a=b]}]\n",
    );
    let options = Options {
        remotes: [(url.to_owned(), kustomize::Content::Repository(&other))].into(),
        ..Options::default()
    };
    let recorder = Recorder::new(&files);
    let built = build(&recorder, &TreePath::parse("a").unwrap(), &options).unwrap();
    let name = built.values[0]
        .at(&["metadata", "name"])
        .and_then(yaml::Value::as_str);
    assert!(
        name.is_some_and(|name| name.starts_with("x-c-")),
        "{name:?}"
    );
}
