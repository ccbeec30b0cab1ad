//! Which cluster a destination means. Only the one that the controller runs in is known today.

use api::application::Destination;
use api::names;
use engine::live::ClusterName;

/// The cluster of a destination.
///
/// # Errors
/// What is wrong with it, in Argo CD's words (recordings dest-*, bad-dest-*, delete-bad-dest).
pub(crate) fn resolve(destination: &Destination) -> Result<ClusterName, String> {
    let Destination { server, name, .. } = destination;
    match (server.as_str(), name.as_str()) {
        ("", "") => Err("Destination server missing from app spec".to_owned()),
        (names::IN_CLUSTER_SERVER, "") | ("", names::IN_CLUSTER_NAME) => Ok(ClusterName {
            server: names::IN_CLUSTER_SERVER.to_owned(),
            name: names::IN_CLUSTER_NAME.to_owned(),
            project: String::new(),
        }),
        ("", name) => Err(format!("there are no clusters with this name: {name}")),
        (server, "") => Err(format!(
            "error getting cluster by server {server:?}: rpc error: code = NotFound desc = cluster {server:?} not found"
        )),
        (server, name) => Err(format!(
            "application destination can't have both name and server defined: {name} {server}"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(server: &str, name: &str, want: Result<(), &str>) {
        let destination = Destination {
            server: server.into(),
            name: name.into(),
            ..Destination::default()
        };
        let found = resolve(&destination).map(|cluster| {
            assert_eq!(cluster.server, names::IN_CLUSTER_SERVER);
        });
        assert_eq!(found, want.map_err(str::to_owned));
    }

    #[test]
    fn a_destination_is_one_known_cluster_by_server_or_name() {
        check("https://kubernetes.default.svc", "", Ok(()));
        check("", "in-cluster", Ok(()));
        check("", "", Err("Destination server missing from app spec"));
        check(
            "",
            "nowhere",
            Err("there are no clusters with this name: nowhere"),
        );
        check(
            "https://kubernetes.default.svc",
            "in-cluster",
            Err(
                "application destination can't have both name and server defined: in-cluster https://kubernetes.default.svc",
            ),
        );
    }
}
