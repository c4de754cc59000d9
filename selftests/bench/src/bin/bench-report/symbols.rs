// SPDX-License-Identifier: GPL-2.0
//! Functions of the guest's kernel by address, from its `/proc/kallsyms`.

/// A function.
pub struct Function {
    pub start: u64,
    pub name: String,
    /// It belongs to the module under test.
    pub ours: bool,
}

pub struct Symbols(Vec<Function>);

impl Symbols {
    /// # Errors
    ///
    /// If there is none: the kernel hides its addresses.
    pub fn parse(text: &str) -> Result<Symbols, String> {
        let mut functions: Vec<Function> = text.lines().filter_map(parse_line).collect();
        // Of several names for one address the first stays.
        functions.sort_by_key(|function| function.start);
        functions.dedup_by_key(|function| function.start);
        if functions.len() < 1000 {
            return Err("kallsyms: no addresses".into());
        }
        Ok(Symbols(functions))
    }

    /// The number of the function that has this address.
    pub fn find(&self, address: u64) -> Option<usize> {
        self.0
            .partition_point(|function| function.start <= address)
            .checked_sub(1)
    }

    pub fn get(&self, number: usize) -> &Function {
        &self.0[number]
    }
}

fn parse_line(line: &str) -> Option<Function> {
    let mut words = line.split_whitespace();
    let start = u64::from_str_radix(words.next()?, 16).ok()?;
    let kind = words.next()?;
    let name = words.next()?;
    (start != 0 && matches!(kind, "t" | "T" | "w" | "W")).then(|| Function {
        start,
        name: name.into(),
        ours: words.next() == Some("[fuse]"),
    })
}
