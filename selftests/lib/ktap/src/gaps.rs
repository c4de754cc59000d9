// SPDX-License-Identifier: GPL-2.0

//! The file `expected-gaps`: tests that need what is not built yet, on our module only. It is read
//! where the tests run, and is only there for our module: an edit of it changes neither the
//! programs nor what C does.

use crate::{Impl, Verdict, LACKING};

/// What is known to be missing, for one suite.
pub(crate) struct Gaps {
    rows: Vec<(String, String)>,
}

impl Gaps {
    /// The rows of `suite` that are for this module.
    pub(crate) fn read(who: Impl, suite: &str) -> Gaps {
        if who == Impl::C {
            return Gaps { rows: Vec::new() };
        }
        let path = format!("{}/expected-gaps", std::env::var("RF_BIN").expect("RF_BIN"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        Gaps::parse(&text, suite)
    }

    fn parse(text: &str, suite: &str) -> Gaps {
        let mut rows = Vec::new();
        for line in text
            .lines()
            .filter(|l| !l.trim().is_empty() && !l.starts_with('#'))
        {
            let mut f = line.split('\t').map(str::trim).filter(|s| !s.is_empty());
            let (Some(test), Some(what), Some(needs)) = (f.next(), f.next(), f.next()) else {
                panic!("expected-gaps: not three fields: {line}");
            };
            if let Some(name) = test.strip_prefix(suite).and_then(|t| t.strip_prefix('.')) {
                rows.push((name.to_string(), format!("{what}: {needs}")));
            }
        }
        Gaps { rows }
    }

    /// The KTAP word and what follows the name.
    pub(crate) fn apply(&self, name: &str, v: Verdict) -> (&'static str, String) {
        let gap = self.rows.iter().find(|(n, _)| n == name).map(|(_, w)| w);
        match (v, gap) {
            (Verdict::Pass, None) => ("ok", String::new()),
            (Verdict::Pass, Some(_)) => (
                "not ok",
                " # passes now: take it out of expected-gaps".into(),
            ),
            (Verdict::Skip(why), None) => ("ok", format!(" # SKIP {why}")),
            // Another kernel will tell.
            (Verdict::Skip(why), Some(_)) if why.starts_with(LACKING) => {
                ("ok", format!(" # SKIP {why}"))
            }
            (Verdict::Skip(why), Some(w)) => ("ok", format!(" # XFAIL {w} ({why})")),
            (Verdict::Fail(_), Some(w)) => ("ok", format!(" # XFAIL {w}")),
            (Verdict::Fail(why), None) => ("not ok", format!(" # {why}")),
        }
    }
}
