//! Files that a volume is to hold at one path, or one below another.

use super::super::field::Field;

/// A file of a volume, and what puts it there: nothing where the volume has one source only.
#[derive(PartialEq)]
struct File<'v> {
    path: &'v str,
    source: String,
}

impl File<'_> {
    /// Whether one of two files hides the other.
    fn meets(&self, other: &File<'_>) -> bool {
        let below = |outer: &str, inner: &str| {
            inner
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let empty = self.path.is_empty() || other.path.is_empty();
        !empty && (below(self.path, other.path) || below(other.path, self.path))
    }

    fn told(&self) -> String {
        match self.source.as_str() {
            "" => format!("{:?}", self.path),
            source => format!("{:?} ({source})", self.path),
        }
    }
}

/// What is warned of the volumes of a pod, in their order.
pub(super) fn overlaps(pod: &Field<'_, '_>, found: &mut Vec<String>) {
    for volume in pod.get("volumes").items() {
        let name = volume.get("name").text();
        for (member, what, owner) in [
            ("configMap", "ConfigMap", "name"),
            ("secret", "Secret", "secretName"),
            ("downwardAPI", "DownwardAPI", ""),
        ] {
            let source = volume.get(member);
            let place = format!(
                "volume {name:?} ({})",
                named(what, source.get(owner).text())
            );
            tell(&place, files(&source, ""), &mut Vec::new(), found);
        }
        let place = format!("volume {name:?} (Projected)");
        let mut seen = Vec::new();
        for source in volume.get("projected.sources").items() {
            match projected(&source) {
                Some(files) => tell(&place, files, &mut seen, found),
                None => found.push(format!("{place} has no sources provided")),
            }
        }
    }
}

/// A kind of source, with the name of its object where it has one.
fn named(what: &str, name: &str) -> String {
    match what {
        "DownwardAPI" => what.to_owned(),
        what => format!("{what} {name:?}"),
    }
}

/// The files of one source of a projected volume; `None` where it names none.
fn projected<'v>(source: &Field<'_, 'v>) -> Option<Vec<File<'v>>> {
    for (member, what) in [
        ("configMap", "ConfigMap"),
        ("secret", "Secret"),
        ("downwardAPI", "DownwardAPI"),
    ] {
        let source = source.get(member);
        if source.is_set() {
            return Some(files(&source, &named(what, source.get("name").text())));
        }
    }
    let token = source.get("serviceAccountToken");
    token.is_set().then(|| {
        let source = "ServiceAccountToken".to_owned();
        vec![File {
            path: token.get("path").text().trim_end_matches('/'),
            source,
        }]
    })
}

fn files<'v>(source: &Field<'_, 'v>, told: &str) -> Vec<File<'v>> {
    let items = source.get("items");
    items
        .items()
        .map(|item| File {
            path: item.get("path").text().trim_end_matches('/'),
            source: told.to_owned(),
        })
        .collect()
}

fn tell<'v>(place: &str, files: Vec<File<'v>>, seen: &mut Vec<File<'v>>, found: &mut Vec<String>) {
    for file in files {
        for other in seen.iter().filter(|other| file.meets(other)) {
            found.push(format!(
                "{place}: overlapping paths: {} with {}",
                file.told(),
                other.told()
            ));
        }
        if !seen.contains(&file) {
            seen.push(file);
        }
    }
}
