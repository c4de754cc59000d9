// SPDX-License-Identifier: GPL-2.0
//! Ordinary tools at work in a folder, and the comparison of two folders.

use crate::daemon::run;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// What is unpacked: files and folders of an installed system.
pub const SAMPLE: &str = "/tmp/demo/sample.tar";

/// Works in the folder `$1`. The same on a mount and on a plain folder must leave the same behind.
const SCRIPT: &str = r#"
set -e
cd "$1"
tar -xf "$2"
cp -a etc copy
mv copy/passwd copy/renamed
mkdir -p deep/er
mv copy/default deep/er/moved
rm copy/group
rm -r copy/pam.d
ln -s er deep/link
printf 'one\n' >note
printf 'two\n' >>note
test "$(cat note)" = "one
two"
: >empty
dd if=/dev/urandom of=/tmp/demo/noise bs=64k count=8 status=none
cp /tmp/demo/noise noise
cmp /tmp/demo/noise noise
rm noise
cp /usr/bin/expr program
chmod 755 program
test "$(./program 6 '*' 7)" = 42
test "$(find . -name passwd -type f | wc -l)" = 2
chmod 600 deep/er/moved/*
"#;

/// A part of /etc, without its links: sshfs follows them to set times, and fails if they lead
/// nowhere yet.
pub fn make_sample() -> Result<usize, String> {
    const MAKE: &str = r#"
        set -e
        cd /tmp/demo
        mkdir -p sample/etc
        for name in passwd group hostname default pam.d security skel; do
            test ! -e /etc/$name || cp -a /etc/$name sample/etc/
        done
        find /tmp/demo/sample -type l -delete
        tar -C /tmp/demo/sample -cf "$1" etc
    "#;
    command(&["bash", "-c", MAKE, "sample", SAMPLE])?;
    Ok(command(&["tar", "-tf", SAMPLE])?.lines().count())
}

pub fn work(dir: &Path) -> Result<(), String> {
    command(&[
        "bash",
        "-xc",
        SCRIPT,
        "work",
        &dir.to_string_lossy(),
        SAMPLE,
    ])
    .map(drop)
}

/// Both folders must hold the same: names, kinds, modes, sizes, links and contents.
pub fn compare(one: &Path, other: &Path) -> Result<usize, String> {
    let (first, second) = (list(one)?, list(other)?);
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>, place: &Path| {
        let lines: Vec<&str> = a.difference(b).take(5).map(String::as_str).collect();
        if lines.is_empty() {
            Ok(())
        } else {
            Err(format!("only in {}: {}", place.display(), lines.join("; ")))
        }
    };
    only(&first, &second, one)?;
    only(&second, &first, other)?;
    command(&[
        "diff",
        "-r",
        "--no-dereference",
        &one.to_string_lossy(),
        &other.to_string_lossy(),
    ])?;
    Ok(first.len())
}

/// One line per file. A folder's size is the filesystem's own affair.
fn list(dir: &Path) -> Result<BTreeSet<String>, String> {
    let format = r"%y %m %s %l %P\n";
    let text = command(&[
        "find",
        &dir.to_string_lossy(),
        "-mindepth",
        "1",
        "-printf",
        format,
    ])?;
    Ok(text
        .lines()
        .map(|line| {
            let mut words: Vec<&str> = line.splitn(4, ' ').collect();
            if words[0] == "d" {
                words[2] = "-";
            }
            words.join(" ")
        })
        .collect())
}

/// Empties a folder through the filesystem it is on, which is work too.
pub fn empty(dir: &Path) -> Result<(), String> {
    command(&["find", &dir.to_string_lossy(), "-mindepth", "1", "-delete"])?;
    match fs::read_dir(dir).map(|entries| entries.count()) {
        Ok(0) => Ok(()),
        other => Err(format!("{} is not empty: {other:?}", dir.display())),
    }
}

fn command(words: &[&str]) -> Result<String, String> {
    run(&words
        .iter()
        .map(|word| word.to_string())
        .collect::<Vec<_>>())
}
