// SPDX-License-Identifier: GPL-2.0

//! libfuse's own tests (`libfuse_tests` in scripts/lib/build.sh): by pytest, on the examples that
//! come with the library.

use std::path::Path;
use std::process::Command;

use ktap::Case;
use suites::compare;
use suites::daemon::need;

use crate::output;

/// Functions of libfuse's files, each with all of its parameters.
const TESTS: [(&str, &str); 6] = [
    ("test_examples", "hello"),
    ("test_examples", "passthrough_hp"),
    ("test_examples", "poll"),
    ("test_examples", "null"),
    ("test_examples", "dev_auto_unmount"),
    ("test_examples", "release_unlink_race"),
];

pub fn cases() -> Vec<Case> {
    let names = TESTS.iter().map(|(_, test)| format!("libfuse.{test}"));
    suites::cases_of(names, run)
}

fn run() {
    let test = suites::case();
    let file = TESTS.iter().find(|t| t.1 == test).expect("test").0;
    let tree = Path::new(&std::env::var("RF_BIN").expect("RF_BIN")).join("libfuse");
    let (out, text) = output(
        Command::new(need("python3"))
            .args(["-m", "pytest", "-p", "no:cacheprovider"])
            // One line for each test, and no end at the first failure.
            .args(["-o", "addopts=", "-o", "log_cli=false", "-v", "--tb=short"])
            .arg("--show-capture=no")
            .arg(format!("--basetemp={}", ktap::dir().join("t").display()))
            .arg(format!("test/{file}.py::test_{test}"))
            .current_dir(tree)
            // Short, for paths of sockets become long by it.
            .env("TMPDIR", "/tmp")
            .env("PYTHONDONTWRITEBYTECODE", "1"),
    );
    print!("{text}");
    let mut results: Vec<String> = text
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (name, result) = (words.next()?, words.next()?);
            let known = ["PASSED", "FAILED", "ERROR", "SKIPPED", "XFAIL", "XPASS"];
            (name.contains("::") && known.contains(&result)).then(|| format!("{name} {result}"))
        })
        .collect();
    results.sort();
    results.dedup();
    let passed = results.iter().any(|r| r.ends_with("PASSED"));
    compare(results);
    assert!(out.status.success() && passed, "pytest: {}", out.status);
}
