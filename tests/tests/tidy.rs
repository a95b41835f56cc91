//! What the style page asks for and a machine can see.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a source file at most.
const MAX_FILE_LINES: usize = 500;
/// Lines of a function at most.
const MAX_FUNCTION_LINES: usize = 70;
/// Characters of a line at most: strings and links may pass rustfmt's width a little.
const MAX_LINE_WIDTH: usize = 140;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests stand in the workspace").to_owned()
}

/// Every file of our own with one of the extensions.
fn files(extensions: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).expect("readable") {
            let path = entry.expect("readable").path();
            let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
            if path.is_dir() {
                let skipped = ["target", "node_modules", "throughline-data"].contains(&name);
                if !skipped && (!name.starts_with('.') || name == ".ci") {
                    open.push(path);
                }
            } else if path
                .extension()
                .and_then(|e| e.to_str())
                .is_some_and(|e| extensions.contains(&e))
            {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn check(wrong: Vec<String>, rule: &str) {
    assert!(wrong.is_empty(), "{rule}:\n{}", wrong.join("\n"));
}

fn name(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}

#[test]
fn source_files_are_short() {
    let long = files(&["rs"]).into_iter().filter_map(|path| {
        let lines = fs::read_to_string(&path).expect("UTF-8").lines().count();
        (lines > MAX_FILE_LINES).then(|| format!("{} has {lines} lines", name(&path)))
    });
    check(long.collect(), "files have at most 500 lines");
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for path in files(&["rs"]) {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let mut begun: Option<(usize, usize, &str)> = None;
        for (number, line) in text.lines().enumerate() {
            let indent = line.len() - line.trim_start().len();
            let is_function = line.trim_start().split("fn ").next().is_some_and(|before| {
                before.split_whitespace().all(|word| {
                    ["pub", "pub(crate)", "pub(super)", "async", "const"].contains(&word)
                })
            }) && line.contains("fn ")
                && line.contains('(');
            if is_function {
                begun = Some((number, indent, line.trim()));
            } else if let Some((start, depth, head)) = begun
                && indent == depth
                && line.trim() == "}"
            {
                if number - start > MAX_FUNCTION_LINES {
                    long.push(format!("{}:{}: {head}", name(&path), start + 1));
                }
                begun = None;
            }
        }
    }
    check(long, "functions have at most 70 lines");
}

#[test]
fn files_are_named_after_what_is_in_them() {
    let banned = ["mod", "utils", "util", "common", "helpers", "helper", "manager", "misc"];
    let wrong = files(&["rs"]).into_iter().filter(|path| {
        path.file_stem().and_then(|stem| stem.to_str()).is_some_and(|stem| banned.contains(&stem))
    });
    check(wrong.map(|path| name(&path)).collect(), "no mod.rs, no utils");
}

#[test]
fn text_is_clean() {
    let mut wrong = Vec::new();
    for path in files(&["rs", "proto", "sql", "toml", "md", "yaml"]) {
        let text = fs::read_to_string(&path).expect("UTF-8");
        for (number, line) in text.lines().enumerate() {
            let place = format!("{}:{}", name(&path), number + 1);
            if line.contains('\t') || line.ends_with(' ') {
                wrong.push(format!("{place}: tab or space at the end"));
            }
            let is_code = path.extension().is_some_and(|e| e == "rs");
            if is_code && line.chars().count() > MAX_LINE_WIDTH {
                wrong.push(format!("{place}: longer than {MAX_LINE_WIDTH}"));
            }
            let forbidden = ["TO", "FIX"]
                .map(|begin| format!("{begin}{}", if begin == "TO" { "DO" } else { "ME" }));
            if forbidden.iter().any(|word| line.contains(word.as_str())) && !line.contains("todo =")
            {
                wrong.push(format!("{place}: unfinished work without a place to find it"));
            }
        }
        if !text.is_empty() && !text.ends_with('\n') {
            wrong.push(format!("{}: no newline at the end", name(&path)));
        }
    }
    check(wrong, "text has no tabs, trailing spaces or leftovers");
}

#[test]
fn lints_are_expected_with_a_reason_and_never_allowed() {
    let mut wrong = Vec::new();
    for path in files(&["rs"]) {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let marker = format!("#[{}(", "allow");
        if text.contains(&marker) || text.contains(&format!("#![{}(", "allow")) {
            wrong.push(name(&path));
        }
    }
    check(wrong, "use #[expect(lint, reason = …)]");
}

#[test]
fn centers_meet_only_in_the_contracts() {
    let centers = ["order", "payment", "resource", "product", "notification"];
    let mut wrong = Vec::new();
    let manifests = centers.map(|center| format!("services/{center}")).into_iter().chain([
        "gateway".to_owned(),
        "deploy/simulators".to_owned(),
        "services/kit".to_owned(),
        "proto".to_owned(),
    ]);
    for directory in manifests {
        let text =
            fs::read_to_string(root().join(&directory).join("Cargo.toml")).expect("a manifest");
        let own = text.lines().find(|line| line.starts_with("name")).unwrap_or_default().to_owned();
        for line in text.lines().filter(|line| line.starts_with("throughline-")) {
            let dependency = line.split(['.', ' ', '=']).next().unwrap_or_default();
            let allowed = match directory.as_str() {
                "proto" => false,
                "services/kit" => dependency == "throughline-proto",
                _ => ["throughline-proto", "throughline-kit"].contains(&dependency),
            };
            if !allowed && !own.contains(&format!("\"{dependency}\"")) {
                wrong.push(format!("{directory} depends on {dependency}"));
            }
        }
    }
    check(wrong, "proto ← kit ← services");
}

/// Where channels are told of their orders, at addresses of their own: the only way past the gateway, with a guard of its own
/// against addresses that are not on the public internet.
const WEBHOOKS: &str = "services/order/src/webhook/";

#[test]
fn a_center_has_no_address_but_the_gateways() {
    let mut wrong = Vec::new();
    for path in files(&["rs"]) {
        let place = name(&path);
        let is_center = place.starts_with("services/")
            && place.contains("/src/")
            && !place.starts_with("services/kit/")
            && !place.starts_with(WEBHOOKS);
        if !is_center {
            continue;
        }
        let text = fs::read_to_string(&path).expect("UTF-8");
        let connects = [
            "Endpoint::",
            "Channel::from",
            "TcpStream::connect",
            "http://",
            "connect_lazy",
            "::connect(",
        ];
        for marker in connects.iter().filter(|marker| text.contains(**marker)) {
            wrong.push(format!("{place} uses {marker}"));
        }
    }
    check(wrong, "centers call others with kit::client, whose only address is the gateway");
}

#[test]
fn migrations_are_consecutive_and_portable() {
    let mut wrong = Vec::new();
    let mut directories: std::collections::BTreeMap<PathBuf, Vec<PathBuf>> = Default::default();
    for path in files(&["sql"]) {
        directories
            .entry(path.parent().expect("in a directory").to_owned())
            .or_default()
            .push(path);
    }
    for paths in directories.values() {
        for (index, path) in paths.iter().enumerate() {
            let number = format!("{:04}_", index + 1);
            if !path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(&number)) {
                wrong.push(format!("{} should start with {number}", name(path)));
            }
            let text = fs::read_to_string(path).expect("UTF-8");
            let code: String =
                text.lines().filter(|line| !line.trim_start().starts_with("--")).collect();
            // Texts in quotes are values, not types.
            let code: String = code.split('\'').step_by(2).collect();
            for engine_only in [
                "BOOLEAN",
                "NUMERIC",
                "UUID",
                "TIMESTAMP",
                "JSONB",
                "SERIAL",
                "AUTOINCREMENT",
                "BLOB",
                " REAL",
            ] {
                if code.to_uppercase().contains(engine_only) {
                    wrong.push(format!("{} uses {engine_only}", name(path)));
                }
            }
        }
    }
    check(wrong, "migrations are consecutive and use TEXT, BIGINT, BYTEA only");
}
