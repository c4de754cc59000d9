// SPDX-License-Identifier: GPL-2.0

//! Suite `kselftest`: the kernel's own tests of FUSE, compiled as they are from the source of the
//! kernel (`kselftests` in scripts/lib/build.sh).

use std::path::Path;
use std::process::Command;

use ktap::{cases, Case};

/// Runs one of the programs, which must pass all of its tests and skip none.
fn run(program: &str, beside: &[&str]) {
    let bin = std::env::var("RF_BIN").expect("RF_BIN");
    // They look for their helpers where they are run.
    for file in beside {
        std::os::unix::fs::symlink(Path::new(&bin).join(file), file).expect("symlink");
    }
    let out = Command::new(Path::new(&bin).join(program))
        .output()
        .expect(program);
    let text =
        String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
    print!("{text}");
    assert!(out.status.success(), "{program}: {}", out.status);
    assert!(text.contains("\nok 1 "), "{program} ran no test");
    assert!(!text.contains("SKIP"), "{program} skips");
}

fn fusectl_test() {
    // It mounts in a namespace of its own.
    ktap::needs("CONFIG_USER_NS");
    run("fusectl_test", &["fuse_mnt"]);
}

fn write_extend_eof_test() {
    run("write_extend_eof_test", &[]);
}

fn fuse_acl_cache_test() {
    run("fuse_acl_cache_test", &[]);
}

fn main() {
    let all: Vec<Case> = cases![fusectl_test, write_extend_eof_test, fuse_acl_cache_test];
    ktap::run("kselftest", all);
}
