// SPDX-License-Identifier: GPL-2.0

//! `wirediff DIR_C DIR_RUST`: compares the records of what daemons received on C's module and on
//! ours, file by file. Exits with 1 and says where they differ if they do.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mockd::table::{NOT_YET_OFFERED, NOT_YET_SENT};

const GAPS: &str = include_str!("../../../../expected-gaps");

fn read_dir(dir: &Path) -> BTreeMap<String, String> {
    let sub = dir.join("wire");
    let dir = if sub.is_dir() { sub } else { dir.to_path_buf() };
    let mut m = BTreeMap::new();
    for e in std::fs::read_dir(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display())) {
        let p = e.expect("directory entry").path();
        if p.extension().is_some_and(|x| x == "txt") {
            let name = p
                .file_stem()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            m.insert(name, std::fs::read_to_string(&p).expect("record"));
        }
    }
    m
}

/// True if the test that wrote `record` is listed in expected-gaps.
fn in_gaps(record: &str) -> bool {
    listed(record, "") || in_wire_gaps(record)
}

/// True if it is listed there as `wire:TEST`: it passes, but what its daemon receives differs.
fn in_wire_gaps(record: &str) -> bool {
    listed(record, "wire:")
}

fn listed(record: &str, prefix: &str) -> bool {
    let test = record.split('+').next().unwrap_or(record);
    GAPS.lines()
        .filter(|l| !l.starts_with('#'))
        .filter_map(|l| l.split('\t').next()?.trim().strip_prefix(prefix))
        .any(|name| name == test)
}

/// The lines of C's record that ours must equal, and the flags that were taken out.
fn filter_c(text: &str, seen_ops: &mut BTreeSet<String>) -> Vec<String> {
    text.lines()
        .filter(|l| {
            let op = l.split(' ').next().unwrap_or("");
            let skip = NOT_YET_SENT.iter().any(|r| format!("{:?}", r.0) == op);
            if skip {
                seen_ops.insert(op.to_string());
            }
            !skip
        })
        .map(String::from)
        .collect()
}

/// Splits an INIT line into what is before the flags, and the flags.
fn init_flags(line: &str) -> Option<(&str, BTreeSet<&str>)> {
    if !line.starts_with("INIT ") {
        return None;
    }
    let (head, flags) = line.split_once(" flags=")?;
    Some((head, flags.split('|').filter(|f| !f.is_empty()).collect()))
}

/// Groups that are empty after filtering would differ by their heading alone.
fn drop_empty_groups(lines: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for l in lines {
        if l.starts_with('[') && out.last().is_some_and(|p| p.starts_with('[')) {
            out.pop();
        }
        out.push(l);
    }
    if out.last().is_some_and(|p| p.starts_with('[')) {
        out.pop();
    }
    out
}

/// A diff in the manner of diff(1). What both begin and end with is taken off first: the rest takes
/// time and memory by the product of its lengths.
fn diff(a: &[String], b: &[String]) -> Vec<String> {
    let common =
        |x: &mut dyn Iterator<Item = (&String, &String)>| x.take_while(|p| p.0 == p.1).count();
    let head = common(&mut a.iter().zip(b));
    let (all, a, b) = (a, &a[head..], &b[head..]);
    let tail = common(&mut a.iter().rev().zip(b.iter().rev()));
    let (a, ends) = a.split_at(a.len() - tail);
    let same = |l: &String| format!("    {l}");
    let mut out: Vec<String> = all[..head].iter().map(same).collect();
    out.extend(diff_middle(a, &b[..b.len() - tail]));
    out.extend(ends.iter().map(same));
    out
}

/// The same by the longest common subsequence.
fn diff_middle(a: &[String], b: &[String]) -> Vec<String> {
    let (n, m) = (a.len(), b.len());
    let mut t = vec![vec![0u32; m + 1]; n + 1];
    for i in (0..n).rev() {
        for j in (0..m).rev() {
            t[i][j] = if a[i] == b[j] {
                t[i + 1][j + 1] + 1
            } else {
                t[i + 1][j].max(t[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while i < n || j < m {
        if i < n && j < m && a[i] == b[j] {
            out.push(format!("    {}", a[i]));
            i += 1;
            j += 1;
        } else if j == m || (i < n && t[i + 1][j] >= t[i][j + 1]) {
            out.push(format!("  C {}", a[i]));
            i += 1;
        } else {
            out.push(format!("  R {}", b[j]));
            j += 1;
        }
    }
    out
}

/// Only the differing lines, each with two before and after it.
fn context(lines: &[String]) -> Vec<String> {
    let marks: Vec<bool> = lines.iter().map(|l| !l.starts_with("    ")).collect();
    let mut out = Vec::new();
    let mut gap = false;
    for (i, l) in lines.iter().enumerate() {
        let near = (i.saturating_sub(2)..=(i + 2).min(lines.len() - 1)).any(|k| marks[k])
            || l.starts_with("    [");
        if near {
            out.push(l.clone());
            gap = false;
        } else if !gap {
            out.push("    ...".into());
            gap = true;
        }
    }
    out
}

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [c, r] = args.as_slice() else {
        eprintln!("usage: wirediff DIR_C DIR_RUST");
        std::process::exit(2);
    };
    let (c, r) = (read_dir(Path::new(c)), read_dir(Path::new(r)));
    let (mut same, mut bad, mut excused) = (0, 0, 0);
    let mut seen_ops = BTreeSet::new();
    let mut rust_ops = BTreeSet::new();
    let mut offered = BTreeSet::new();
    for (name, ct) in &c {
        let Some(rt) = r.get(name) else {
            if in_gaps(name) {
                excused += 1;
            } else {
                bad += 1;
                println!("{name}: no record from the Rust module");
            }
            continue;
        };
        for l in rt.lines() {
            let op = l.split(' ').next().unwrap_or("");
            if NOT_YET_SENT.iter().any(|x| format!("{:?}", x.0) == op) {
                rust_ops.insert(op.to_string());
            }
        }
        let mut a = filter_c(ct, &mut seen_ops);
        let b: Vec<String> = rt.lines().map(String::from).collect();
        // Flags not yet offered are taken out of C's line.
        for l in &mut a {
            if let Some((head, flags)) = init_flags(l) {
                let kept: Vec<&str> = flags
                    .into_iter()
                    .filter(|f| !NOT_YET_OFFERED.iter().any(|n| n.0 == *f))
                    .collect();
                *l = format!("{head} flags={}", kept.join("|"));
            }
        }
        for l in &b {
            if let Some((_, flags)) = init_flags(l) {
                offered.extend(flags.into_iter().map(String::from));
            }
        }
        let (a, b) = (drop_empty_groups(a), drop_empty_groups(b));
        if a == b && in_wire_gaps(name) {
            bad += 1;
            println!("{name}: the same now, take it out of expected-gaps");
        } else if a == b {
            same += 1;
        } else if in_gaps(name) {
            excused += 1;
        } else {
            bad += 1;
            println!("{name}: differs");
            context(&diff(&a, &b)).iter().for_each(|l| println!("{l}"));
        }
    }
    for name in r.keys().filter(|n| !c.contains_key(*n)) {
        bad += 1;
        println!("{name}: no record from the C module");
    }
    for (flag, _) in NOT_YET_OFFERED.iter().filter(|f| offered.contains(f.0)) {
        bad += 1;
        println!("table: {flag} is offered now, take it out of not_yet_offered");
    }
    for op in &rust_ops {
        bad += 1;
        println!("table: {op} is sent now, take it out of not_yet_sent");
    }
    println!("wirediff: {same} the same, {bad} different, {excused} in expected-gaps");
    std::process::exit(if bad == 0 && same > 0 { 0 } else { 1 });
}
