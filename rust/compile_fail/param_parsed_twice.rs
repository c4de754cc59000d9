// SPDX-License-Identifier: GPL-2.0

//! `fs_parse()` reads the string of a parameter of that type, which must not have been taken.

use crate::kapi::vfs::{
    fs_context::FsContext,
    fs_parameter::FsParameter,
    fs_parser::{
        fs_parse,
        FsParameterTable, //
    },
};

fn case(fc: &FsContext, table: FsParameterTable, param: FsParameter<'_>) {
    if let Ok(parsed) = fs_parse(fc, table, param) {
        let _ = parsed.into_string();
        let _ = fs_parse(fc, table, param); // error[E0382]
    }
}
