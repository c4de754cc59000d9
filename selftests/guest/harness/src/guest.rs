// SPDX-License-Identifier: GPL-2.0
//! Suite `guest`: the guest that all other suites rely on is what they think it is.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::process::ExitCode;

type Check = fn() -> Result<(), String>;

const CHECKS: &[(&str, Check)] = &[
    ("root_is_the_disk", root_is_the_disk),
    ("module_under_test_is_loaded", module_under_test_is_loaded),
    ("device_is_10_229", device_is_10_229),
    ("results_come_out", results_come_out),
    ("daemons_are_there", daemons_are_there),
    ("kernel_is_the_one_asked_for", kernel_is_the_one_asked_for),
];

fn env(name: &str) -> Result<String, String> {
    std::env::var(name).map_err(|_| format!("{name} is not set"))
}

fn ensure(truth: bool, otherwise: impl Into<String>) -> Result<(), String> {
    if truth {
        Ok(())
    } else {
        Err(otherwise.into())
    }
}

fn root_is_the_disk() -> Result<(), String> {
    let mounts = fs::read_to_string("/proc/self/mounts").map_err(|error| error.to_string())?;
    let is_disk = |line: &str| {
        ["/dev/vda", "/dev/ubda"]
            .iter()
            .any(|disk| line.starts_with(&format!("{disk} / ext4 ")))
    };
    ensure(mounts.lines().any(is_disk), mounts)
}

/// The Rust module has symbols with Rust's mangling; the C one has none.
fn module_under_test_is_loaded() -> Result<(), String> {
    let symbols = fs::read_to_string("/proc/kallsyms").map_err(|error| error.to_string())?;
    let mangled = symbols
        .lines()
        .any(|line| line.ends_with("\t[fuse]") && line.contains(" _R"));
    match env("RF_IMPL")?.as_str() {
        "rust" => ensure(mangled, "fuse.ko is not the Rust module"),
        "c" => ensure(
            !mangled && symbols.contains("\t[fuse]"),
            "fuse.ko is not the C module",
        ),
        other => Err(format!("RF_IMPL={other}")),
    }
}

fn device_is_10_229() -> Result<(), String> {
    let meta = fs::metadata("/dev/fuse").map_err(|error| error.to_string())?;
    let (major, minor) = (meta.rdev() >> 8, meta.rdev() & 0xff);
    ensure(
        meta.file_type().is_char_device() && (major, minor) == (10, 229),
        format!("/dev/fuse is {major}:{minor}"),
    )
}

fn results_come_out() -> Result<(), String> {
    let path = format!("{}/from-guest", env("RF_OUT")?);
    fs::write(&path, "seen\n").map_err(|error| format!("{path}: {error}"))
}

fn daemons_are_there() -> Result<(), String> {
    let ours = env("RF_BIN")?;
    let examples = ["hello", "hello_ll", "passthrough", "passthrough_ll", "null"];
    let places = examples.iter().map(|name| format!("{ours}/{name}")).chain(
        [
            "/usr/bin/sshfs",
            "/usr/bin/bindfs",
            "/usr/bin/fusermount3",
            "/usr/lib/openssh/sftp-server",
        ]
        .iter()
        .map(|place| place.to_string()),
    );
    let missing: Vec<String> = places
        .filter(|place| fs::metadata(place).is_err())
        .collect();
    ensure(
        missing.is_empty(),
        format!("missing: {}", missing.join(" ")),
    )
}

fn kernel_is_the_one_asked_for() -> Result<(), String> {
    let debug = fs::metadata("/sys/kernel/debug/failslab").is_ok();
    ensure(
        debug == (env("RF_KERNEL")? == "debug"),
        "the wrong kernel is running",
    )
}

/// Arguments as for the suites that run cases: `--list`, or parts of names.
fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|a| a == "--list") {
        CHECKS.iter().for_each(|(name, _)| println!("{name}"));
        return ExitCode::SUCCESS;
    }
    let wanted: Vec<&(&str, Check)> = CHECKS
        .iter()
        .filter(|(name, _)| args.is_empty() || args.iter().any(|a| name.contains(a.as_str())))
        .collect();
    let mut failed = 0;
    println!("KTAP version 1\n1..{}", wanted.len());
    for (number, (name, check)) in (1..).zip(wanted) {
        match check() {
            Ok(()) => println!("ok {number} {name}"),
            Err(reason) => {
                failed += 1;
                println!("# {reason}\nnot ok {number} {name}");
            }
        }
    }
    ExitCode::from(u8::from(failed > 0))
}
