//! Volumes of pods, source by source.

use yaml::Value;

use crate::names;
use crate::validate::claim;
use crate::validate::field::Check::{self, Needs, Rule};
use crate::validate::field::Field;
use crate::validate::pod::environment::{field_reference, resource_reference};

const ONE_TYPE: &str = "may not specify more than 1 volume type";
const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";
const CONFLICT: &str = "conflicting duplicate paths";
const NO_FORM: &str = "must be valid format";
/// Members of the pod that a volume may show as files.
const FIELDS: [&str; 5] = [
    "metadata.annotations",
    "metadata.labels",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
];
/// Seconds for which a token may be asked.
const TOKEN_SECONDS: (i64, i64) = (10 * 60, 1 << 32);

/// The sources in the order in which they are looked at.
const SOURCES: [(&str, Check); 30] = [
    ("emptyDir", Rule(empty_dir)),
    ("hostPath", Rule(host_path)),
    ("gitRepo", Rule(git)),
    ("gcePersistentDisk", Rule(google_disk)),
    ("awsElasticBlockStore", Rule(amazon_disk)),
    ("secret", Rule(secret)),
    ("nfs", Rule(nfs)),
    ("iscsi", Rule(iscsi)),
    ("glusterfs", Needs(&["endpoints", "path"])),
    ("flocker", Rule(flocker)),
    ("persistentVolumeClaim", Needs(&["claimName"])),
    ("rbd", Needs(&["monitors", "image"])),
    ("cinder", Rule(cinder)),
    ("cephfs", Needs(&["monitors"])),
    ("quobyte", Rule(quobyte)),
    ("downwardAPI", Rule(downward)),
    ("fc", Rule(fibre_channel)),
    ("flexVolume", Rule(flex)),
    ("configMap", Rule(config_map)),
    ("azureFile", Needs(&["secretName", "shareName"])),
    ("vsphereVolume", Needs(&["volumePath"])),
    ("photonPersistentDisk", Needs(&["pdID"])),
    ("portworxVolume", Needs(&["volumeID"])),
    ("azureDisk", Rule(azure_disk)),
    ("storageos", Rule(storage_os)),
    ("projected", Rule(projected)),
    ("scaleIO", Needs(&["gateway", "system", "volumeName"])),
    ("csi", Rule(csi)),
    ("ephemeral", Rule(ephemeral)),
    ("image", Rule(image)),
];

/// Checks the volumes; gives names and sources of those that are fine.
pub(super) fn volumes<'v>(volumes: &Field<'_, 'v>, pod: &str) -> Vec<(&'v str, &'v str)> {
    let mut fine: Vec<(&'v str, &'v str)> = Vec::new();
    let made: Vec<String> = volumes
        .items()
        .filter(|volume| !pod.is_empty() && volume.get("ephemeral").is_set())
        .map(|volume| format!("{pod}-{}", volume.get("name").text()))
        .collect();
    for volume in volumes.items() {
        let before = volumes.errors();
        if !volume.one_member(SOURCES, ONE_TYPE) {
            volume.required("must specify a volume type");
        }
        let name = volume.get("name");
        claim_name(&volume, pod);
        name.require_name(names::label_problems);
        if fine.iter().any(|(known, _)| *known == name.text()) {
            name.duplicate();
        }
        if volumes.errors() == before {
            let sources = volume.map().into_iter().flat_map(yaml::Map::keys);
            let source = sources.map(yaml::Str::as_str).find(|key| *key != "name");
            fine.push((name.text(), source.unwrap_or_default()));
        }
        let claim = volume.get("persistentVolumeClaim");
        let claim_name = claim.get("claimName");
        if made.iter().any(|made| made == claim_name.text()) {
            claim_name
                .invalid("must not reference a PVC that gets created for an ephemeral volume");
        }
    }
    fine
}

/// The claim that an ephemeral volume makes is called by pod and volume.
fn claim_name(volume: &Field<'_, '_>, pod: &str) {
    let name = volume.get("name");
    if pod.is_empty() || name.is_empty() || !volume.get("ephemeral").is_set() {
        return;
    }
    let claim = format!("{pod}-{}", name.text());
    for problem in names::subdomain_problems(&claim) {
        name.invalid(&format!("PVC name {claim:?}: {problem}"));
    }
}

fn empty_dir(source: &Field<'_, '_>) {
    let limit = source.get("sizeLimit");
    if limit.text().starts_with('-') {
        limit.forbidden("SizeLimit field must be a valid resource quantity");
    }
}

pub(crate) fn host_path(source: &Field<'_, '_>) {
    let path = source.get("path");
    if path.require() {
        no_backsteps(&path);
        source.get("type").optional_one_of(&[
            "",
            "BlockDevice",
            "CharDevice",
            "Directory",
            "DirectoryOrCreate",
            "File",
            "FileOrCreate",
            "Socket",
        ]);
    }
}

fn git(source: &Field<'_, '_>) {
    source.get("repository").require();
    descending(&source.get("directory"));
}

/// Told under another name than its own, as the real server does.
pub(crate) fn google_disk(disk: &Field<'_, '_>) {
    let disk = disk.renamed("persistentDisk");
    disk.get("pdName").require();
    partition(&disk.get("partition"));
}

pub(crate) fn amazon_disk(disk: &Field<'_, '_>) {
    disk.get("volumeID").require();
    partition(&disk.get("partition"));
}

fn partition(partition: &Field<'_, '_>) {
    let number = partition.number();
    if number.is_some_and(|number| !(0..=255).contains(&number)) {
        partition.invalid("must be between 1 and 255, inclusive");
    }
}

fn secret(source: &Field<'_, '_>) {
    files(source, "secretName");
}

fn config_map(source: &Field<'_, '_>) {
    files(source, "name");
}

/// A Secret or ConfigMap as files.
fn files(source: &Field<'_, '_>, name: &str) {
    source.get(name).require();
    mode(&source.get("defaultMode"));
    for item in source.get("items").items() {
        key_to_path(&item);
    }
}

fn mode(mode: &Field<'_, '_>) {
    if mode
        .number()
        .is_some_and(|number| !(0..=0o777).contains(&number))
    {
        mode.invalid(MODE);
    }
}

fn key_to_path(item: &Field<'_, '_>) {
    item.require_all(&["key", "path"]);
    local_path(&item.get("path"));
    mode(&item.get("mode"));
}

pub(crate) fn nfs(source: &Field<'_, '_>) {
    source.require_all(&["server", "path"]);
    let path = source.get("path");
    if !path.text().starts_with('/') {
        path.invalid_as(&path.text().into(), "must be an absolute path");
    }
}

pub(crate) fn iscsi(source: &Field<'_, '_>) {
    source.get("targetPortal").require();
    let (name, initiator) = (source.get("iqn"), source.get("initiatorName"));
    if name.require() {
        qualified_name(&name);
    }
    let lun = source.get("lun");
    lun.within(0, 255);
    let authenticates = ["chapAuthDiscovery", "chapAuthSession"];
    if authenticates.iter().any(|flag| source.get(flag).is_true()) {
        source.get("secretRef").require();
    }
    if initiator.is_set() {
        qualified_name(&initiator.told_at(&source.get("initiatorname")));
    }
}

fn qualified_name(name: &Field<'_, '_>) {
    let text = name.text();
    let hexadecimal = |digits: &str, lengths: &[usize]| {
        lengths.contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    let fits = match text.get(..3) {
        Some("iqn") => is_dated_name(text.get(3..).unwrap_or_default()),
        Some("eui") => hexadecimal(text.strip_prefix("eui.").unwrap_or_default(), &[16]),
        Some("naa") => hexadecimal(text.strip_prefix("naa.").unwrap_or_default(), &[16, 32]),
        _ => return name.invalid("must be valid format starting with iqn, eui, or naa"),
    };
    if !fits {
        name.invalid(NO_FORM);
    }
}

/// `.yyyy-mm.reversed.domain[:anything]`.
fn is_dated_name(text: &str) -> bool {
    let (name, _) = text.split_once(':').unwrap_or((text, ""));
    let parts: Vec<&str> = name.split('.').collect();
    let ["", date, domain @ ..] = parts.as_slice() else {
        return false;
    };
    let digits = |text: &str, count: usize| {
        text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    date.split_once('-')
        .is_some_and(|(year, month)| digits(year, 4) && digits(month, 2))
        && !domain.is_empty()
        && domain.iter().all(|part| !part.is_empty())
}

pub(crate) fn flocker(source: &Field<'_, '_>) {
    let (name, id) = (source.get("datasetName"), source.get("datasetUUID"));
    match (name.is_empty(), id.is_empty()) {
        (true, true) => source.required("one of datasetName and datasetUUID is required"),
        (false, false) => source.invalid_as(
            &"resource".into(),
            "datasetName and datasetUUID can not be specified simultaneously",
        ),
        _ => {}
    }
    if name.text().contains('/') {
        name.invalid("must not contain '/'");
    }
}

fn cinder(source: &Field<'_, '_>) {
    source.get("volumeID").require();
    let secret = source.get("secretRef");
    if secret.is_set() {
        secret.get("name").require();
    }
}

pub(crate) fn quobyte(source: &Field<'_, '_>) {
    let (registry, tenant) = (source.get("registry"), source.get("tenant"));
    let pairs = "must be a host:port pair or multiple pairs separated by commas";
    if registry.is_empty() {
        registry.required(pairs);
    } else if tenant.text().len() >= 65 {
        tenant.required("must be a UUID and may not exceed a length of 64 characters");
    } else {
        for pair in registry.text().split(',') {
            if pair.matches(':').count() != 1 {
                registry.invalid(pairs);
            }
        }
    }
    source.get("volume").require();
}

fn downward(source: &Field<'_, '_>) {
    mode(&source.get("defaultMode"));
    for item in source.get("items").items() {
        downward_file(&item, source);
    }
}

/// A file that shows a member of the pod; errors are told at the source.
fn downward_file(item: &Field<'_, '_>, source: &Field<'_, '_>) {
    let (path, place) = (item.get("path"), source.get("path"));
    let path = path.told_at(&place);
    path.require();
    local_path(&path);
    let (field, resource) = (item.get("fieldRef"), item.get("resourceFieldRef"));
    let (field_place, resource_place) = (source.get("fieldRef"), source.get("resourceFieldRef"));
    if field.is_set() {
        field_reference(&field.told_at(&field_place), &FIELDS);
        if resource.is_set() {
            source.invalid_as(
                &"resource".into(),
                "fieldRef and resourceFieldRef can not be specified simultaneously",
            );
        }
    } else if resource.is_set() {
        let resource = resource.told_at(&resource_place);
        if resource.get("containerName").require() {
            resource_reference(&resource);
        }
    } else {
        source.required("one of fieldRef and resourceFieldRef is required");
    }
    mode(&item.get("mode").told_at(&source.get("mode")));
}

pub(crate) fn fibre_channel(source: &Field<'_, '_>) {
    let (targets, ids, lun) = (
        source.get("targetWWNs"),
        source.get("wwids"),
        source.get("lun"),
    );
    if targets.is_empty() && ids.is_empty() {
        targets.required("must specify either targetWWNs or wwids, but not both");
    }
    if !targets.is_empty() && !ids.is_empty() {
        targets.invalid("targetWWNs and wwids can not be specified simultaneously");
    }
    if !targets.is_empty() {
        if lun.is_set() {
            lun.within(0, 255);
        } else {
            lun.required("lun is required if targetWWNs is specified");
        }
    }
}

pub(crate) fn flex(source: &Field<'_, '_>) {
    source.get("driver").require();
    for (key, option) in source.get("options").entries() {
        let space = key.split_once('/').map_or(key, |(space, _)| space);
        let space = format!(".{}", space.to_lowercase());
        if space.ends_with(".kubernetes.io") || space.ends_with(".k8s.io") {
            option.invalid_as(
                &key.into(),
                "kubernetes.io and k8s.io namespaces are reserved",
            );
        }
    }
}

pub(crate) fn azure_disk(source: &Field<'_, '_>) {
    source.require_all(&["diskName", "diskURI"]);
    source
        .get("cachingMode")
        .optional_one_of(&["None", "ReadOnly", "ReadWrite"]);
    let (kind, uri) = (source.get("kind"), source.get("diskURI"));
    kind.optional_one_of(&["Dedicated", "Managed", "Shared"]);
    let managed = kind.text() == "Managed";
    if managed && !uri.text().starts_with("/subscriptions/") {
        uri.not_supported(&[
            "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/\
                             microsoft.compute/disks/{disk-id}",
        ]);
    }
    if kind.is_set() && !managed && !uri.text().starts_with("https://") {
        uri.not_supported(&[
            "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd",
        ]);
    }
}

pub(crate) fn storage_os(source: &Field<'_, '_>) {
    source.get("volumeName").require_name(names::label_problems);
    source
        .get("volumeNamespace")
        .optional_name(names::label_problems);
    let secret = source.get("secretRef");
    if secret.is_set() {
        secret.get("name").require();
    }
}

fn csi(source: &Field<'_, '_>) {
    driver(&source.get("driver"));
    let secret = source.get("nodePublishSecretRef");
    let name = secret.get("name");
    if secret.is_set() && name.require() {
        name.told_at(&source.get("name"))
            .problems(names::subdomain_problems);
    }
}

/// The name of a CSI driver.
pub(crate) fn driver(name: &Field<'_, '_>) {
    if !name.require() {
        return;
    }
    if name.text().len() > 63 {
        name.too_long(63);
    }
    name.invalid_each(names::subdomain_problems(&name.text().to_lowercase()));
}

fn ephemeral(source: &Field<'_, '_>) {
    let template = source.get("volumeClaimTemplate");
    if template.is_set() {
        claim::template(&template);
    } else {
        template.required("");
    }
}

fn image(source: &Field<'_, '_>) {
    source
        .get("pullPolicy")
        .require_one_of(&["Always", "IfNotPresent", "Never"]);
}

fn projected(source: &Field<'_, '_>) {
    mode(&source.get("defaultMode"));
    let mut paths: Vec<&str> = Vec::new();
    for item in source.get("sources").items() {
        let kinds = item.map().map_or(0, yaml::Map::len);
        for (key, name) in [("secret", "name"), ("configMap", "name")] {
            let files = item.get(key);
            if !files.is_set() {
                continue;
            }
            files.get(name).require();
            for file in files.get("items").items() {
                key_to_path(&file);
                distinct(
                    source,
                    file.get("path").text(),
                    files.get(name).text(),
                    &mut paths,
                );
            }
        }
        let downward = item.get("downwardAPI");
        for file in downward.get("items").items() {
            downward_file(&file, &downward);
            let path = file.get("path").text();
            distinct(source, path, path, &mut paths);
        }
        token(&item.get("serviceAccountToken"), source);
        if kinds > 1 {
            item.forbidden("may not specify more than 1 volume type per source");
        }
    }
}

/// No two files of a projected volume have one path.
fn distinct<'v>(source: &Field<'_, '_>, path: &'v str, shown: &str, seen: &mut Vec<&'v str>) {
    if path.is_empty() {
        return;
    }
    if seen.contains(&path) {
        source.invalid_as(&Value::from(shown), CONFLICT);
    } else {
        seen.push(path);
    }
}

fn token(token: &Field<'_, '_>, source: &Field<'_, '_>) {
    if !token.is_set() {
        return;
    }
    let seconds = token.get("expirationSeconds");
    let (least, most) = TOKEN_SECONDS;
    match seconds.number().unwrap_or(0) {
        number if number < least => {
            seconds.invalid("may not specify a duration less than 10 minutes");
        }
        number if number > most => {
            seconds.invalid("may not specify a duration larger than 2^32 seconds");
        }
        _ => {}
    }
    let (path, place) = (token.get("path"), source.get("path"));
    let path = path.told_at(&place);
    if path.require() {
        local_path(&path);
    }
}

/// A path that stays below where it starts.
pub(super) fn descending(path: &Field<'_, '_>) {
    if path.text().starts_with('/') {
        path.invalid("must be a relative path");
    }
    no_backsteps(path);
}

pub(crate) fn no_backsteps(path: &Field<'_, '_>) {
    if path.text().split('/').any(|part| part == "..") {
        path.invalid("must not contain '..'");
    }
}

/// As [`descending`]; names that start with two dots are the server's own.
fn local_path(path: &Field<'_, '_>) {
    descending(path);
    if path.text().starts_with("..") && !path.text().starts_with("../") {
        path.invalid("must not start with '..'");
    }
}
