// SPDX-License-Identifier: GPL-2.0
//! Where the instructions of one row go.

use crate::classes::{Class, CLASSES};
use crate::{traced, IMPLEMENTATIONS};
use std::path::Path;

/// Functions with less than this per operation are left out.
const LEAST: f64 = 2.0;

pub fn print(folder: &Path, name: &str) -> Result<(), String> {
    for implementation in IMPLEMENTATIONS {
        let traced = traced(folder, implementation)?;
        let symbols = &traced.symbols;
        let Some((row, trace)) = traced.rows.iter().find(|(row, _)| row.name == name) else {
            return Err(format!("there is no row {name}"));
        };
        let per = |count: u64| count as f64 / row.rounds as f64;
        println!(
            "{implementation} {name}: {:.1} (the counter of the machine: {:.1}), user {:.1}",
            per(trace.total()),
            row.count,
            per(trace.user)
        );
        let classes = trace.by_class(symbols);
        for class in CLASSES {
            println!("  {:>9.1} {class:?}", per(classes[&class]));
        }
        let mut functions: Vec<(usize, u64)> =
            trace.functions.iter().map(|(f, n)| (*f, *n)).collect();
        functions.sort_by_key(|(function, count)| {
            (Class::of(symbols.get(*function)), std::cmp::Reverse(*count))
        });
        for (number, count) in functions {
            if per(count) < LEAST {
                continue;
            }
            let function = symbols.get(number);
            let callers: Vec<String> = trace
                .callers(number)
                .iter()
                .filter(|(_, count)| per(*count) > 0.1)
                .take(4)
                .map(|(caller, count)| {
                    format!("{}*{:.1}", short(&symbols.get(*caller).name), per(*count))
                })
                .collect();
            println!(
                "  {:>9.1} {:<9?} {} <- {}",
                per(count),
                Class::of(function),
                short(&function.name),
                callers.join(" ")
            );
        }
    }
    Ok(())
}

/// The last names in a mangled Rust name, or the name as it is.
fn short(name: &str) -> String {
    if !name.starts_with("_R") {
        return name.into();
    }
    let mut parts = Vec::new();
    let mut rest = name;
    while let Some(at) = rest.find(|letter: char| letter.is_ascii_digit()) {
        let digits = rest[at..]
            .find(|letter: char| !letter.is_ascii_digit())
            .map_or(rest.len(), |end| at + end);
        let length: usize = rest[at..digits].parse().unwrap_or(0);
        let begin = digits + usize::from(rest[digits..].starts_with('_'));
        let word = rest.get(begin..begin.saturating_add(length)).unwrap_or("");
        if length > 1 && word.len() == length {
            parts.push(word);
            rest = &rest[begin + length..];
        } else {
            rest = &rest[digits..];
        }
    }
    parts.truncate(12);
    parts.join(":")
}
