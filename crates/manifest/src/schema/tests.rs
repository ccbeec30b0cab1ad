use super::*;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn builtin(api_version: &str, kind: &str) -> Schema {
    SchemaSet::builtin()
        .schema(&Gvk::new(api_version, kind))
        .unwrap()
}

#[test]
fn every_built_in_kind_is_known_with_its_scope() {
    let set = SchemaSet::builtin();
    let scope = |api_version, kind| set.kind(&Gvk::new(api_version, kind)).unwrap().scope;
    assert_eq!(scope("v1", "Pod"), Scope::Namespaced);
    assert_eq!(scope("v1", "Namespace"), Scope::Cluster);
    assert_eq!(
        scope("rbac.authorization.k8s.io/v1", "ClusterRole"),
        Scope::Cluster
    );
    assert_eq!(
        set.kind(&Gvk::new("apps/v1", "Deployment"))
            .unwrap()
            .resource,
        "deployments"
    );
    assert!(set.kinds().count() >= 60, "{}", set.kinds().count());
    for kind in set.kinds() {
        let root = set.schema(&kind.gvk).unwrap();
        assert!(root.root().field("metadata").is_some(), "{:?}", kind.gvk);
    }
}

#[test]
fn lists_know_their_keys_and_patch_rules() {
    let schema = builtin("apps/v1", "Deployment");
    let spec = schema.at(&["spec", "template", "spec"]).unwrap();
    let containers = spec.root().field("containers").unwrap();
    assert_eq!(containers.patch.strategy, PatchStrategy::Merge);
    assert_eq!(containers.patch.merge_key.as_deref(), Some("name"));
    let ports = schema
        .at(&["spec", "template", "spec", "containers", "[]", "ports"])
        .unwrap();
    let Type::List(list) = ports.root().ty() else {
        panic!("ports is a list");
    };
    let keys = ["containerPort", "protocol"].map(Str::from).to_vec();
    assert_eq!(list.relation, ListRelation::Map(keys));
    let protocol = ports.at(&["[]"]).unwrap();
    assert_eq!(
        protocol.root().field("protocol").unwrap().default,
        Some(Value::from("TCP"))
    );
    let strategy = schema.at(&["spec"]).unwrap();
    assert!(strategy.root().field("strategy").unwrap().patch.retain_keys);
}

#[test]
fn scalars_atomic_maps_and_overrides_are_told_apart() {
    let pod = builtin("v1", "Pod");
    let ty = |path: &[&str]| pod.at(path).unwrap().root().ty().clone();
    assert_eq!(
        ty(&["spec", "containers", "[]", "resources", "limits", "{}"]),
        Type::Scalar(Scalar::Quantity)
    );
    assert_eq!(
        ty(&["metadata", "creationTimestamp"]),
        Type::Scalar(Scalar::Time)
    );
    let Type::Map(selector) = ty(&["spec", "nodeSelector"]) else {
        panic!("nodeSelector is a map");
    };
    assert!(selector.atomic);
    let volume = builtin("v1", "PersistentVolume");
    let claim = volume.at(&["spec", "claimRef"]).unwrap();
    assert!(
        matches!(claim.root().ty(), Type::Map(map) if !map.atomic && map.name == "ObjectReference")
    );
}

#[test]
fn a_custom_resource_gets_a_schema_from_its_definition() {
    let set = SchemaSet::builtin();
    let openapi = json(
        r#"{"type":"object","properties":{
            "metadata":{"type":"object"},
            "spec":{"type":"object","x-kubernetes-map-type":"atomic","properties":{
                "ports":{"type":"array","x-kubernetes-list-type":"map","x-kubernetes-list-map-keys":["port"],
                    "items":{"type":"object","required":["port"],"properties":{
                        "port":{"type":"integer","format":"int32","default":80}}}},
                "size":{"x-kubernetes-int-or-string":true},
                "raw":{"type":"object","x-kubernetes-preserve-unknown-fields":true,
                    "properties":{"a":{"type":"string"}}},
                "inner":{"type":"object","x-kubernetes-embedded-resource":true,
                    "x-kubernetes-preserve-unknown-fields":true}}}}}"#,
    );
    let schema = set.custom(&openapi).unwrap();
    let ty = |path: &[&str]| schema.at(path).unwrap().root().ty().clone();
    assert!(matches!(ty(&["spec"]), Type::Map(map) if map.atomic && map.element.is_none()));
    assert!(matches!(ty(&["spec", "ports"]), Type::List(list)
        if list.relation == ListRelation::Map(vec!["port".into()])));
    let port = schema.at(&["spec", "ports", "[]"]).unwrap();
    let field = port.root().field("port").unwrap();
    assert!(field.required);
    assert_eq!(field.default, Some(Value::Int(80)));
    assert_eq!(ty(&["spec", "size"]), Type::Scalar(Scalar::IntOrString));
    assert_eq!(ty(&["spec", "raw", "other"]), Type::Any);
    assert_eq!(
        ty(&["spec", "inner", "metadata", "name"]),
        Type::Scalar(Scalar::String)
    );
    assert_eq!(ty(&["metadata", "uid"]), Type::Scalar(Scalar::String));
    assert_eq!(ty(&["apiVersion"]), Type::Scalar(Scalar::String));
    assert!(schema.at(&["status"]).is_none());
}

#[test]
fn schemas_that_cannot_be_understood_say_where() {
    let set = SchemaSet::builtin();
    let check = |text: &str, want: &str| {
        assert_eq!(set.custom(&json(text)).unwrap_err().to_string(), want);
    };
    check(
        r#"{"type":"object","properties":{"a":{"type":"array","x-kubernetes-list-type":"map","items":{"type":"object"}}}}"#,
        "openAPIV3Schema.a: is a list map without x-kubernetes-list-map-keys",
    );
    check(
        r#"{"type":"object","properties":{"a":5}}"#,
        "openAPIV3Schema.a: is not a schema",
    );
    let mut deep = json("{}");
    for _ in 0..200 {
        let mut outer = json(r#"{"type":"array"}"#);
        outer.map_at_mut(&[]).insert("items", deep);
        deep = outer;
    }
    let error = set.custom(&deep).unwrap_err().to_string();
    assert!(error.ends_with("nests too deeply"), "{error}");
}

#[test]
fn a_table_with_a_malformed_line_says_which() {
    let check = |table: &str, want: &str| {
        assert_eq!(SchemaSet::parse(table).unwrap_err().to_string(), want);
    };
    check("type A\n b", "schema table line 2: a field needs a type");
    check("type A\n b @B", "schema table line 2: unknown type B");
    check(
        "kind v1 A as galactic @A",
        "schema table line 1: unknown scope galactic",
    );
    check(
        "junk",
        "schema table line 1: is neither a type, a field, a kind, a presence nor a comment",
    );
    check(
        "type A\npresence A b always",
        "schema table line 2: A has no b",
    );
}

#[test]
fn members_are_written_as_their_go_types_do() {
    let check = |api_version, kind, path: &[&str], member: &str, want| {
        let schema = builtin(api_version, kind).at(path).unwrap();
        let found = schema.root().field(member).unwrap().presence;
        assert_eq!(found, want, "{kind} {path:?} {member}");
    };
    check("v1", "Pod", &["spec"], "hostNetwork", Presence::Vanishes);
    check("v1", "Pod", &["spec"], "priority", Presence::Pointer);
    check("v1", "Pod", &["spec"], "containers", Presence::Always);
    check("v1", "Event", &[], "eventTime", Presence::Always);
    check(
        "v1",
        "PersistentVolumeClaim",
        &["spec"],
        "storageClassName",
        Presence::Pointer,
    );
    check(
        "apps/v1",
        "Deployment",
        &["spec"],
        "selector",
        Presence::Null,
    );
    check(
        "apps/v1",
        "Deployment",
        &["spec"],
        "strategy",
        Presence::Always,
    );
}
