//! Dependencies between our crates go one way, and the light crates stay light.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::finding::Finding;

/// Each crate with the crates of ours that it may use. Tests may use more.
const ALLOWED: &[(&str, &[&str])] = &[
    ("aitrace-model", &[]),
    ("aitrace-macros", &[]),
    ("aitrace-web", &[]),
    ("aitrace-allocator", &[]),
    ("xtask", &[]),
    ("aitrace-otlp", &["aitrace-model"]),
    ("aitrace-html", &["aitrace-model"]),
    ("aitrace-normalise", &["aitrace-model"]),
    ("aitrace-price", &["aitrace-model"]),
    ("aitrace-store", &["aitrace-model"]),
    ("aitrace-eval", &["aitrace-model"]),
    ("aitrace", &["aitrace-eval", "aitrace-html", "aitrace-model", "aitrace-macros", "aitrace-otlp"]),
    ("aitrace-py", &["aitrace", "aitrace-model", "aitrace-normalise"]),
    ("aitrace-example-agent", &["aitrace"]),
    ("aitrace-example-async", &["aitrace"]),
    ("aitrace-example-axum-service", &["aitrace"]),
    ("aitrace-example-basic", &["aitrace"]),
    ("aitrace-example-evaluate", &["aitrace"]),
    ("aitrace-store-embedded", &["aitrace-model", "aitrace-store"]),
    (
        "aitrace-server",
        &[
            "aitrace-model",
            "aitrace-normalise",
            "aitrace-otlp",
            "aitrace-price",
            "aitrace-store",
            "aitrace-web",
        ],
    ),
    (
        "aitrace-cli",
        &[
            "aitrace",
            "aitrace-allocator",
            "aitrace-example-agent",
            "aitrace-html",
            "aitrace-model",
            "aitrace-price",
            "aitrace-server",
            "aitrace-store",
            "aitrace-store-embedded",
        ],
    ),
    // Tries all decoders; nothing uses it.
    ("aitrace-fuzz", &["aitrace-model", "aitrace-normalise", "aitrace-otlp", "aitrace-price"]),
    // Measures all of them; nothing uses it.
    (
        "aitrace-bench",
        &[
            "aitrace",
            "aitrace-model",
            "aitrace-normalise",
            "aitrace-otlp",
            "aitrace-price",
            "aitrace-server",
            "aitrace-store",
            "aitrace-store-embedded",
        ],
    ),
];

/// Crates that are part of other people's programs.
const LIGHT: &[&str] = &[
    "aitrace",
    "aitrace-eval",
    "aitrace-html",
    "aitrace-otlp",
    "aitrace-model",
    "aitrace-normalise",
    "aitrace-py",
];
/// What they never pull.
const HEAVY: &[&str] = &["tokio", "axum", "arrow", "datafusion", "rusqlite"];

pub(super) fn check(root: &Path) -> Result<Vec<Finding>> {
    let cargo = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    ensure!(cargo.status.success(), "cargo metadata failed; if Cargo.lock is out of date, run `cargo check`");
    let metadata: Value = serde_json::from_slice(&cargo.stdout).context("cargo metadata is not JSON")?;
    Ok(check_graph(&Crates::read(&metadata), ALLOWED, LIGHT))
}

/// The resolved graph of normal dependencies, by package name.
#[derive(Debug, Default)]
struct Crates {
    /// Our crates with the paths of their manifests from the root.
    ours: BTreeMap<String, String>,
    /// Package id to name.
    names: BTreeMap<String, String>,
    /// Package id to the ids of its normal dependencies.
    edges: BTreeMap<String, Vec<String>>,
}

impl Crates {
    fn read(metadata: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let mut crates = Self::default();
        let members: BTreeSet<String> = list(&metadata["workspace_members"]).iter().map(text).collect();
        let root = format!("{}/", text(&metadata["workspace_root"]));
        for package in list(&metadata["packages"]) {
            let (id, name) = (text(&package["id"]), text(&package["name"]));
            if members.contains(&id) {
                let manifest = text(&package["manifest_path"]);
                let relative = manifest.strip_prefix(&root).unwrap_or(&manifest);
                crates.ours.insert(name.clone(), relative.to_owned());
            }
            crates.names.insert(id, name);
        }
        for node in list(&metadata["resolve"]["nodes"]) {
            let normal = |dependency: &&Value| {
                list(&dependency["dep_kinds"]).iter().any(|kind| kind["kind"].is_null())
            };
            let dependencies = list(&node["deps"]);
            let ids = dependencies.iter().filter(normal).map(|dependency| text(&dependency["pkg"]));
            crates.edges.insert(text(&node["id"]), ids.collect());
        }
        crates
    }

    fn name(&self, id: &str) -> &str {
        self.names.get(id).map_or("", String::as_str)
    }

    fn id_of(&self, name: &str) -> Option<&str> {
        self.names.iter().find(|(_, other)| *other == name).map(|(id, _)| id.as_str())
    }

    fn uses(&self, id: &str) -> impl Iterator<Item = &str> {
        self.edges.get(id).into_iter().flatten().map(String::as_str)
    }

    /// How a crate comes to use a package: the names from one to the other.
    fn way_to(&self, from: &str, target: &str) -> Option<Vec<&str>> {
        let start = self.id_of(from)?;
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = std::collections::VecDeque::from([start]);
        while let Some(id) = queue.pop_front() {
            if id != start && self.name(id) == target {
                let mut way = vec![self.name(id)];
                let mut at = id;
                while let Some(before) = came_from.get(at) {
                    way.push(self.name(before));
                    at = before;
                }
                way.reverse();
                return Some(way);
            }
            for next in self.uses(id) {
                if next != start && !came_from.contains_key(next) {
                    came_from.insert(next, id);
                    queue.push_back(next);
                }
            }
        }
        None
    }
}

fn check_graph(crates: &Crates, allowed: &[(&str, &[&str])], light: &[&str]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut finding = |file: &str, what: String, why, mend| {
        findings.push(Finding { file: file.to_owned(), line: 1, what, why, mend });
    };
    for (name, manifest) in &crates.ours {
        let Some((_, may)) = allowed.iter().find(|(other, _)| other == name) else {
            let mend = "add it to ALLOWED in xtask/src/tidy/dependencies.rs";
            finding(
                manifest,
                format!("{name} has no row in the allow-list"),
                "dependencies go one way",
                mend,
            );
            continue;
        };
        let id = crates.id_of(name).unwrap_or_default();
        for used in crates.uses(id).map(|id| crates.name(id)) {
            if crates.ours.contains_key(used) && !may.contains(&used) {
                let mend = "move what is needed into a crate below both";
                finding(manifest, format!("{name} must not use {used}"), "dependencies go one way", mend);
            }
        }
    }
    for name in light.iter().filter(|name| crates.ours.contains_key(**name)) {
        for heavy in HEAVY {
            if let Some(way) = crates.way_to(name, heavy) {
                let why = "it is part of other people's programs and stays light";
                let what = format!("{name} pulls {heavy}: {}", way.join(" -> "));
                finding(&crates.ours[*name], what, why, "drop the dependency or its feature");
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn crates(edges: &[(&str, &[(&str, Value)])]) -> Crates {
        let package = |name: &str| json!({"id": format!("id-{name}"), "name": name, "manifest_path": format!("/r/crates/{name}/Cargo.toml")});
        let names: BTreeSet<&str> =
            edges.iter().flat_map(|(from, to)| to.iter().map(|(name, _)| *name).chain([*from])).collect();
        let node = |(from, to): &(&str, &[(&str, Value)])| {
            let deps: Vec<Value> = to
                .iter()
                .map(|(name, kind)| json!({"pkg": format!("id-{name}"), "dep_kinds": [{"kind": kind}]}))
                .collect();
            json!({"id": format!("id-{from}"), "deps": deps})
        };
        let members: Vec<String> =
            names.iter().filter(|name| name.starts_with("our-")).map(|name| format!("id-{name}")).collect();
        Crates::read(&json!({
            "workspace_root": "/r",
            "workspace_members": members,
            "packages": names.iter().map(|name| package(name)).collect::<Vec<_>>(),
            "resolve": {"nodes": edges.iter().map(node).collect::<Vec<_>>()},
        }))
    }

    #[test]
    fn what_is_not_allowed_is_found() {
        let graph = crates(&[
            ("our-a", &[("our-b", Value::Null), ("serde", Value::Null)]),
            ("our-b", &[("our-c", json!("dev"))]),
            ("our-c", &[]),
        ]);
        let all: &[(&str, &[&str])] = &[("our-a", &["our-b"]), ("our-b", &[]), ("our-c", &[])];
        assert_eq!(check_graph(&graph, all, &[]), []);
        let less: &[(&str, &[&str])] = &[("our-a", &[]), ("our-b", &[])];
        let found: Vec<_> = check_graph(&graph, less, &[]).iter().map(ToString::to_string).collect();
        assert!(found[0].starts_with("crates/our-a/Cargo.toml:1: our-a must not use our-b"), "{found:?}");
        assert!(found[1].contains("our-c has no row"), "{found:?}");
    }

    #[test]
    fn heavy_dependencies_are_found_at_any_depth_with_the_way() {
        let graph = crates(&[
            ("our-a", &[("x", Value::Null), ("y", json!("build"))]),
            ("x", &[("z", Value::Null)]),
            ("y", &[("axum", Value::Null)]),
            ("z", &[("tokio", Value::Null), ("x", Value::Null)]),
        ]);
        let found = check_graph(&graph, &[("our-a", &[])], &["our-a"]);
        let text: Vec<_> = found.iter().map(|finding| finding.what.as_str()).collect();
        assert_eq!(text, ["our-a pulls tokio: our-a -> x -> z -> tokio"]);
    }
}
