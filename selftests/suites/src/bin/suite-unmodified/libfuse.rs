// SPDX-License-Identifier: GPL-2.0

//! libfuse's own tests (`libfuse_tests` in scripts/lib/build.sh): by pytest, on the examples that
//! come with the library.

use std::path::{Path, PathBuf};
use std::process::Command;

use ktap::{cases, Case};
use suites::compare;
use suites::daemon::need;

use crate::output;

/// Some of libfuse's tests.
struct Row {
    /// The name of the case.
    name: &'static str,
    /// The test: a function in a file.
    test: &'static str,
    /// Its parameters have this in their names.
    only: &'static str,
    /// It sleeps, so what it does with each parameter is done at the same time.
    sleeps: bool,
}

/// All there is but `test_cuse`, which is about another device.
const ROWS: [Row; 16] = [
    row("hello", "test_examples.py::test_hello"),
    row("passthrough", "test_examples.py::test_passthrough"),
    row("passthrough_hp", "test_examples.py::test_passthrough_hp"),
    row("ioctl", "test_examples.py::test_ioctl"),
    row("poll", "test_examples.py::test_poll"),
    row("null", "test_examples.py::test_null"),
    row("printcap", "test_examples.py::test_printcap"),
    sleeps(
        "notify_inval_entry",
        "test_examples.py::test_notify_inval_entry",
    ),
    row(
        "dev_auto_unmount",
        "test_examples.py::test_dev_auto_unmount",
    ),
    row(
        "release_unlink_race",
        "test_examples.py::test_release_unlink_race",
    ),
    row("hello_uds", "test_custom_io.py::test_hello_uds"),
    row("write_cache", "test_ctests.py::test_write_cache"),
    sleeps("notify_file_size", "test_ctests.py::test_notify_file_size"),
    Row {
        only: "notify_inval_inode",
        ..sleeps("notify_inval_inode", NOTIFY)
    },
    Row {
        only: "notify_store_retrieve",
        ..sleeps("notify_store_retrieve", NOTIFY)
    },
    Row {
        only: "invalidate_path",
        ..sleeps("invalidate_path", NOTIFY)
    },
];

const NOTIFY: &str = "test_ctests.py::test_notify1";
const CUSE: &str = "test_examples.py::test_cuse";

const fn row(name: &'static str, test: &'static str) -> Row {
    Row {
        name,
        test,
        only: "",
        sleeps: false,
    }
}

const fn sleeps(name: &'static str, test: &'static str) -> Row {
    Row {
        sleeps: true,
        ..row(name, test)
    }
}

pub fn cases() -> Vec<Case> {
    let names = ROWS.iter().map(|row| format!("libfuse.{}", row.name));
    let mut all = suites::cases_of(names, run);
    all.extend(cases![every_libfuse_test_has_a_case]);
    all
}

/// The folder of what is run once more: beyond those of any row.
const AGAIN: usize = 1000;

/// Where the tests are, with the examples beside them.
fn tree() -> PathBuf {
    Path::new(&std::env::var("RF_BIN").expect("RF_BIN")).join("libfuse")
}

/// pytest, with a folder of its own for what the tests make.
fn pytest(which: usize) -> Command {
    let mut cmd = Command::new(need("python3"));
    cmd.args(["-m", "pytest", "-p", "no:cacheprovider"])
        // One line for each test, and no end at the first failure.
        .args(["-o", "addopts=", "-o", "log_cli=false"])
        .arg(format!("--basetemp={}/t{which}", ktap::dir().display()))
        .current_dir(tree())
        // Short, for paths of sockets become long by it.
        .env("TMPDIR", "/tmp")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    cmd
}

/// What pytest takes for tests in these files, or these functions of them, with each parameter:
/// their names below the folder of tests.
fn collect(what: &[&str]) -> Vec<String> {
    let mut cmd = pytest(0);
    cmd.args(["--collect-only", "-q"]);
    cmd.args(what.iter().map(|w| format!("test/{w}")));
    let (out, text) = output(&mut cmd);
    assert!(out.status.success(), "{text}");
    let tests = text.lines().filter(|line| line.contains("::"));
    tests
        .map(|t| t.trim_start_matches("test/").into())
        .collect()
}

/// Runs these tests, and gives the result of each; true if none failed.
fn results(which: usize, tests: &[String]) -> (Vec<String>, bool) {
    let mut cmd = pytest(which);
    cmd.args(["-v", "--tb=short", "--show-capture=no"]);
    cmd.args(tests.iter().map(|t| format!("test/{t}")));
    let (out, text) = output(&mut cmd);
    print!("{text}");
    let results = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (name, result) = (words.next()?, words.next()?);
        let known = ["PASSED", "FAILED", "ERROR", "SKIPPED", "XFAIL", "XPASS"];
        (name.contains("::") && known.contains(&result)).then(|| format!("{name} {result}"))
    });
    (results.collect(), out.status.success())
}

fn run() {
    let case = suites::case();
    let row = ROWS.iter().find(|row| row.name == case).expect("row");
    let all = if row.sleeps {
        let mut tests = collect(&[row.test]);
        tests.retain(|test| test.contains(row.only));
        std::thread::scope(|s| {
            let one = |(which, test)| s.spawn(move || results(which, &[test]));
            let running: Vec<_> = tests.into_iter().enumerate().map(one).collect();
            let all = running.into_iter().map(|r| r.join().expect("pytest"));
            all.collect()
        })
    } else {
        vec![results(0, &[row.test.into()])]
    };
    let mut well = all.iter().all(|r| r.1);
    let mut lines: Vec<String> = all.into_iter().flat_map(|r| r.0).collect();
    // test_syscalls compares times with the clock, so one of the many may fail on a busy machine,
    // with either module: not twice.
    let is_failed = |line: &String| line.ends_with(" FAILED");
    let failed: Vec<String> = lines.iter().filter(|l| is_failed(l)).cloned().collect();
    if !failed.is_empty() {
        println!("once more: {failed:?}");
        let name = |line: &String| {
            let name = line.trim_end_matches(" FAILED");
            name.trim_start_matches("test/").to_string()
        };
        let names: Vec<String> = failed.iter().map(name).collect();
        let (again, passed) = results(AGAIN, &names);
        lines.retain(|line| !is_failed(line));
        lines.extend(again);
        well = passed && !lines.iter().any(|line| line.ends_with(" ERROR"));
    }
    lines.sort();
    lines.dedup();
    let passed = lines.iter().any(|line| line.ends_with("PASSED"));
    compare(lines);
    assert!(well && passed, "pytest");
}

/// The rows above are all that pytest finds.
fn every_libfuse_test_has_a_case() {
    let files = std::fs::read_dir(tree().join("test")).expect("tests");
    let names = files.map(|f| f.expect("test").file_name().into_string().expect("utf-8"));
    let names: Vec<String> = names
        .filter(|n| n.starts_with("test_") && n.ends_with(".py"))
        .collect();
    let tests = collect(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let of = |test: &String, row: &Row| {
        let function = test.split('[').next().unwrap_or_default();
        function == row.test && test.contains(row.only)
    };
    for test in &tests {
        let n = ROWS.iter().filter(|row| of(test, row)).count();
        assert!(n == 1 || test == CUSE, "{test}: {n}");
    }
    for row in &ROWS {
        assert!(tests.iter().any(|test| of(test, row)), "{}", row.name);
    }
}
