use std::io::Write;

use manifest::{EntryKind, TreeError};

use super::*;

/// A tar with these entries, packed with gzip.
fn packed(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, kind, content) in entries {
        let mut header = tar::Header::new_gnu();
        let bytes = name.as_bytes();
        header.as_old_mut().name[..bytes.len()].copy_from_slice(bytes);
        header.set_entry_type(*kind);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        if matches!(kind, tar::EntryType::Symlink | tar::EntryType::Link) {
            header.set_link_name("../../etc/passwd").unwrap();
        }
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    gzip(&builder.into_inner().unwrap())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

const FILE: tar::EntryType = tar::EntryType::Regular;

#[test]
fn a_chart_is_read_without_its_folder() {
    let bytes = packed(&[
        ("demo/", tar::EntryType::Directory, b""),
        ("demo/Chart.yaml", FILE, b"name: demo"),
        ("demo/templates/a.yaml", FILE, b"a"),
    ]);
    let tree = unpack(&bytes, Layout::InFolder).unwrap();
    let path = |text: &str| TreePath::parse(text).unwrap();
    assert_eq!(&*tree.read(&path("Chart.yaml")).unwrap(), b"name: demo");
    assert_eq!(tree.kind(&path("templates")), Ok(EntryKind::Directory));
    let names = |at: &str| {
        let entries = tree.list(&path(at)).unwrap();
        entries.into_iter().map(|it| it.name).collect::<Vec<_>>()
    };
    assert_eq!(names(""), ["Chart.yaml", "templates"]);
    assert_eq!(names("templates"), ["a.yaml"]);
    assert!(matches!(tree.read(&path("x")), Err(TreeError::NotFound(_))));
    let read = tree.read(&path("templates"));
    assert!(matches!(read, Err(TreeError::WrongKind { .. })));
}

#[test]
fn an_archive_that_leads_outside_is_refused() {
    let check = |name: &str, kind: tar::EntryType| {
        let bytes = packed(&[("demo/Chart.yaml", FILE, b"x"), (name, kind, b"")]);
        let got = unpack(&bytes, Layout::Plain).err();
        let is_refused = matches!(
            got,
            Some(ArchiveError::Escapes(_) | ArchiveError::NotAFile { .. })
        );
        assert!(is_refused, "{name}: {got:?}");
    };
    check("../evil", FILE);
    check("demo/../../evil", FILE);
    check("demo/a/../b", FILE);
    check("/etc/passwd", FILE);
    check("demo\\..\\..\\evil", FILE);
    check("c:/evil", FILE);
    check("demo/link", tar::EntryType::Symlink);
    check("demo/link", tar::EntryType::Link);
    check("demo/device", tar::EntryType::Char);
    check("demo/pipe", tar::EntryType::Fifo);
}

#[test]
fn an_archive_is_bounded() {
    let check = |bytes: &[u8]| {
        let got = unpack(bytes, Layout::Plain).err();
        assert!(matches!(got, Some(ArchiveError::Limit(_))), "{got:?}");
    };
    // 1,000 to 1: a bomb.
    let zeros = vec![0; 32 * 1024 * 1024];
    check(&packed(&[("demo/a", FILE, &zeros)]));
    let many: Vec<(String, tar::EntryType, &[u8])> = (0..=MAX_ENTRIES)
        .map(|number| (number.to_string(), FILE, &b""[..]))
        .collect();
    let many: Vec<_> = many.iter().map(|it| (it.0.as_str(), it.1, it.2)).collect();
    check(&packed(&many));
    let deep = format!("{}x", "a/".repeat(MAX_DEPTH));
    assert!(matches!(path_of(&deep), Err(ArchiveError::Limit(_))));
    let long = "a".repeat(MAX_PATH_BYTES + 1);
    assert!(matches!(path_of(&long), Err(ArchiveError::Limit(_))));
}

#[test]
fn what_is_no_archive_is_told() {
    let check = |bytes: &[u8]| {
        let got = unpack(bytes, Layout::InFolder).err();
        assert!(matches!(got, Some(ArchiveError::Broken(_))), "{got:?}");
    };
    let whole = packed(&[("demo/Chart.yaml", FILE, &[b'x'; 5000])]);
    check(&whole[..whole.len() / 2]);
    check(b"<html>not found</html>");
    check(&gzip(&[b'x'; 2000]));
    let two = packed(&[("a/x", FILE, b""), ("b/x", FILE, b"")]);
    let got = unpack(&two, Layout::InFolder).err();
    assert_eq!(got, Some(ArchiveError::NoFolder));
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config {
        cases: 2000,
        failure_persistence: None,
        rng_seed: proptest::test_runner::RngSeed::Fixed(11),
        ..Default::default()
    })]

    #[test]
    fn no_bytes_make_it_panic(changes in proptest::collection::vec((0usize..2048, 0u8..=255), 0..8), length in 0usize..4096) {
        let whole = packed(&[("demo/Chart.yaml", FILE, b"name: demo"), ("demo/b", FILE, b"b")]);
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&whole[..]).read_to_end(&mut plain).unwrap();
        for (at, byte) in &changes {
            if let Some(it) = plain.get_mut(*at) {
                *it = *byte;
            }
        }
        plain.truncate(length);
        let _ = unpack(&plain, Layout::InFolder);
        let mut packed = whole;
        for (at, byte) in changes {
            if let Some(it) = packed.get_mut(at) {
                *it = byte;
            }
        }
        let _ = unpack(&packed, Layout::Plain);
    }
}
