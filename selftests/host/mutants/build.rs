// SPDX-License-Identifier: GPL-2.0

//! Makes the mutants: for each file in `mutants/` a copy of the module's engine with one bug in it,
//! and a test module that explores the model over that copy.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR").expect("manifest dir"));
    let out = PathBuf::from(env::var("OUT_DIR").expect("out dir"));
    let rust = here.join("../../../rust");
    for watched in [here.join("mutants"), rust.join("engine")] {
        println!("cargo::rerun-if-changed={}", watched.display());
    }

    let mut mutants: Vec<PathBuf> = fs::read_dir(here.join("mutants"))
        .expect("mutants")
        .map(|entry| entry.expect("entry").path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "txt"))
        .collect();
    mutants.sort();
    let mut code = String::new();
    for path in mutants {
        let name = path
            .file_stem()
            .and_then(|stem| stem.to_str())
            .expect("name");
        let copy = out.join("mutants").join(name);
        copy_sources(&rust, &copy);
        let text = fs::read_to_string(&path).expect("mutant");
        let (head, edits) = parse(&text);
        for (file, old, new) in edits {
            apply(name, &copy.join(file), old, new);
        }
        module(&mut code, &here, &copy, name, &head);
    }
    fs::write(out.join("mutants.rs"), code).expect("mutants.rs");
}

fn copy_sources(rust: &Path, copy: &Path) {
    fs::create_dir_all(copy).expect("dir");
    for entry in fs::read_dir(rust.join("engine")).expect("engine") {
        let entry = entry.expect("entry");
        fs::copy(entry.path(), copy.join(entry.file_name())).expect("copy");
    }
}

/// What catches a mutant.
struct Head<'a> {
    /// A configuration of the model.
    config: Option<&'a str>,
    /// Or a scenario under loom.
    loom: Option<&'a str>,
    /// Or a configuration of what callers that have left hold; or `limits`.
    holds: Option<&'a str>,
    /// What the complaint begins with: the property's name.
    by: &'a str,
}

/// The head of a mutant, and its edits: file, text, text instead.
fn parse(text: &str) -> (Head<'_>, Vec<(&str, &str, &str)>) {
    let (head, edits) = text.split_once("--- ").expect("an edit");
    let line = |key: &str| head.lines().find_map(|line| line.strip_prefix(key));
    let head = Head {
        config: line("config: "),
        loom: line("loom: "),
        holds: line("holds: "),
        by: line("by: ").expect("by"),
    };
    let edits = edits
        .split("\n--- ")
        .map(|edit| {
            let (file, rest) = edit.split_once('\n').expect("file");
            let (old, new) = rest.split_once("\n+++").expect("+++");
            let new = new.strip_prefix('\n').unwrap_or(new);
            (file, old, new.strip_suffix('\n').unwrap_or(new))
        })
        .collect();
    (head, edits)
}

fn apply(name: &str, file: &Path, old: &str, new: &str) {
    let text = fs::read_to_string(file).expect("source");
    let found = text.matches(old).count();
    assert!(
        found == 1,
        "mutant {name}: found {found} times in {}:\n{old}",
        file.display()
    );
    fs::write(file, text.replacen(old, new, 1)).expect("write");
}

fn module(code: &mut String, here: &Path, copy: &Path, name: &str, head: &Head<'_>) {
    let ident = name.replace('-', "_");
    let copy = copy.display();
    let src = here.join("../engine/src");
    let rest = match (head.config, head.loom, head.holds) {
        (Some(config), None, None) => in_the_model(&src, name, config, head.by),
        (None, Some(scenario), None) => under_loom(&src, scenario, head.by),
        (None, None, Some(holds)) => among_holds(&src, name, holds, head.by),
        _ => panic!("{name}: config, loom or holds"),
    };
    write!(
        code,
        r#"
#[allow(dead_code, unused_imports, unused_variables, unused_mut)]
mod {ident} {{
    #[path = "{copy}/mod.rs"]
    mod engine;
{rest}}}
"#
    )
    .expect("code");
}

/// The test of a mutant that the model is to catch, in one of its configurations.
fn in_the_model(src: &Path, name: &str, config: &str, by: &str) -> String {
    let src = src.display();
    format!(
        r#"
    #[path = "{src}/kit.rs"]
    mod kit;
    #[path = "{src}/model/mod.rs"]
    mod model;
    #[path = "{src}/configs.rs"]
    mod configs;
    #[path = "{src}/explore.rs"]
    mod explore;

    #[test]
    fn is_caught() {{
        let config = configs::find("{config}");
        let caught = std::panic::catch_unwind(|| explore::explore(&config, usize::MAX));
        match caught {{
            Ok(explore::Verdict::Wrong {{ what, path }}) => {{
                println!("{name}: {{what}}, after {{}} steps", path.len());
                assert!(what.starts_with("{by}"), "{name}: by another than {by}");
            }}
            Ok(verdict) => panic!("{name}: not caught: {{verdict:?}}"),
            Err(_) => panic!("{name}: the engine or the model panicked"),
        }}
    }}
"#
    )
}

/// The test of one that a scenario under loom is to catch.
fn under_loom(src: &Path, scenario: &str, by: &str) -> String {
    let src = src.display();
    format!(
        r#"
    #[path = "{src}/loomed/sync.rs"]
    mod sync;
    #[path = "{src}/rig/mod.rs"]
    mod rig;
    #[path = "{src}/loomed/scenarios.rs"]
    mod scenarios;

    #[test]
    #[should_panic(expected = "{by}")]
    fn is_caught() {{
        scenarios::{scenario}();
    }}
"#
    )
}

/// The test of one that is about what callers that have left hold.
fn among_holds(src: &Path, name: &str, holds: &str, by: &str) -> String {
    let src = src.display();
    format!(
        r#"
    #[path = "{src}/occupied/mod.rs"]
    mod occupied;

    #[test]
    fn is_caught() {{
        let caught = match "{holds}" {{
            "limits" => occupied::limits().map_err(|what| (what, vec![])),
            "late" => occupied::late().map_err(|what| (what, vec![])),
            holds => occupied::explore(&occupied::find(holds)).map(|_| ()),
        }};
        match caught {{
            Err((what, path)) => {{
                println!("{name}: {{what}}, after {{}} steps", path.len());
                assert!(what.starts_with("{by}"), "{name}: by another than {by}");
            }}
            Ok(()) => panic!("{name}: not caught"),
        }}
    }}
"#
    )
}
