//! `tiphys app delete`.

use std::io::BufRead;

use anyhow::Result;
use api::{Application, names};
use yaml::{Map, Value};

use super::{Mistake, named};
use crate::apps::Apps;
use crate::cli::DeleteArguments;
use crate::{connect, terminal};

/// Deletes Applications, with or without their objects.
pub(super) async fn run(arguments: &DeleteArguments) -> Result<u8> {
    let finalizer = match arguments.propagation_policy.as_str() {
        "foreground" => names::RESOURCES_FINALIZER,
        "background" => names::RESOURCES_FINALIZER_BACKGROUND,
        other => {
            let text = format!("unknown propagation policy {other:?}: foreground or background");
            return Err(Mistake(text).into());
        }
    };
    let apps = connect::apps(&arguments.target).await?;
    for name in &arguments.names {
        let (apps, name) = named(&apps, name);
        if !arguments.yes && !is_confirmed(name)? {
            terminal::line(&format!("The command to delete '{name}' was cancelled."));
            continue;
        }
        let app = apps.get(name).await?;
        set_finalizer(&apps, &app, arguments.cascade.then_some(finalizer)).await?;
        apps.delete(name).await?;
        if arguments.wait {
            // a parent that heals itself may have made it anew before the watch begins
            let uid = &app.metadata.uid;
            apps.wait_for(name, None, |now| {
                now.is_none_or(|now| now.metadata.uid != *uid)
            })
            .await?;
        }
        terminal::line(&format!("application '{name}' deleted"));
    }
    Ok(0)
}

fn is_confirmed(name: &str) -> Result<bool> {
    terminal::print(&format!(
        "Are you sure you want to delete '{name}' and all its resources? [y/n] "
    ));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// The finalizer of an Application says whether its objects go with it.
async fn set_finalizer(apps: &Apps, app: &Application, wanted: Option<&str>) -> Result<()> {
    let ours = [
        names::RESOURCES_FINALIZER,
        names::RESOURCES_FINALIZER_FOREGROUND,
        names::RESOURCES_FINALIZER_BACKGROUND,
    ];
    let before = &app.metadata.finalizers;
    let others = before
        .iter()
        .filter(|one| !ours.contains(&one.as_str()))
        .cloned();
    let after: Vec<String> = others.chain(wanted.map(str::to_owned)).collect();
    if after != *before {
        let metadata = Map::from([("finalizers", Value::from(after))]);
        apps.patch(
            &app.metadata.name,
            &Value::Map(Map::from([("metadata", Value::Map(metadata))])),
        )
        .await?;
    }
    Ok(())
}
