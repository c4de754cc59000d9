// SPDX-License-Identifier: GPL-2.0

//! The text of a trace. See `rust/helpers/fuse_trace.h`.

/// One event of ours or of C's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The line of the file, from 1.
    pub line: usize,
    /// Without `fuse_`.
    pub name: String,
    pub connection: u32,
    pub unique: u64,
    pub opcode: u32,
    pub device: u64,
    /// Of the engine's steps: their place in the order.
    pub seq: Option<u64>,
}

/// What the test that recorded the trace says besides: the limit that the daemon has set at INIT.
pub(crate) const MAX_BACKGROUND: &str = "max_background";

/// All events of the file that are of FUSE.
///
/// # Errors
///
/// A line that cannot be read, or a buffer that has overflowed.
pub fn parse(text: &str) -> Result<Vec<Event>, String> {
    let mut events = vec![];
    for (index, line) in text.lines().enumerate() {
        if line.contains("LOST") && line.contains("EVENTS") {
            return Err(format!("line {}: events were lost", index + 1));
        }
        if let Some(number) = line.strip_prefix("# max_background ") {
            let number = number.trim().parse();
            events.push(Event {
                line: index + 1,
                name: MAX_BACKGROUND.into(),
                connection: 0,
                unique: number.map_err(|_| format!("line {}: {line}", index + 1))?,
                opcode: 0,
                device: 0,
                seq: None,
            });
        }
        if line.starts_with('#') {
            continue;
        }
        let Some((before, text)) = line.split_once(": connection ") else {
            continue;
        };
        let Some(name) = before
            .rsplit(' ')
            .next()
            .and_then(|n| n.strip_prefix("fuse_"))
        else {
            continue;
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let value = |key: &str| {
            let at = words.iter().position(|word| *word == key)?;
            words.get(at + 1)?.parse::<u64>().ok()
        };
        let small = |value: Option<u64>| value.and_then(|value| u32::try_from(value).ok());
        let event = || {
            Some(Event {
                line: index + 1,
                name: name.into(),
                connection: words.first()?.parse().ok()?,
                unique: value("req")?,
                opcode: small(value("opcode")).unwrap_or(0),
                device: value("device").unwrap_or(0),
                seq: value("seq"),
            })
        };
        events.push(event().ok_or_else(|| format!("line {}: {line}", index + 1))?);
    }
    Ok(events)
}
