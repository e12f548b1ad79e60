// SPDX-License-Identifier: GPL-2.0

//! Mount options.

use super::Fs;
use kernel::prelude::*;
use rfuse_kapi::fs_context::{FsContext, ParamValue, Parameter, ParameterSpec};

const DEFAULT_PERMISSIONS: i32 = 0;
const ALLOW_OTHER: i32 = 1;
const DAX: i32 = 2;
const WRITEBACK: i32 = 3;

/// The options by name.
pub(crate) const PARAMETERS: &[ParameterSpec] = &[
    ParameterSpec::flag_no(c"default_permissions", DEFAULT_PERMISSIONS),
    ParameterSpec::flag(c"allow_other", ALLOW_OTHER),
    ParameterSpec::string(c"dax", DAX),
    ParameterSpec::string(c"writeback", WRITEBACK),
    ParameterSpec::END,
];

/// What a file system was mounted with.
#[derive(Clone)]
pub(crate) struct Options {
    /// The kernel checks permissions by mode bits; else the server is asked (ACCESS).
    pub(crate) default_permissions: bool,
    /// Folios stay under writeback until the server has them, as with the C client, instead of being
    /// copied.
    pub(crate) writes_in_place: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            default_permissions: true,
            writes_in_place: false,
        }
    }
}

/// Takes one option over.
///
/// # Errors
///
/// `EINVAL` for a value that is not one.
pub(crate) fn parse(
    fc: &FsContext<'_, Fs>,
    options: &mut Options,
    parameter: &Parameter<'_>,
) -> Result {
    match (parameter.opt, &parameter.value) {
        (DEFAULT_PERMISSIONS, _) => options.default_permissions = !parameter.negated,
        // Every user of the guest may use the mount, as with the C client.
        (ALLOW_OTHER, _) => {}
        (WRITEBACK, ParamValue::String(way)) => match way.to_bytes() {
            b"temp" => options.writes_in_place = false,
            b"inplace" => options.writes_in_place = true,
            _ => {
                fc.errorf(fmt!(
                    "writeback={way} is not known, writeback=temp and writeback=inplace are"
                ));
                return Err(EINVAL);
            }
        },
        (DAX, ParamValue::String(mode)) if mode.to_bytes() == b"never" => {}
        (DAX, ParamValue::String(mode)) => {
            fc.errorf(fmt!("dax={mode} is not supported, dax=never is"));
            return Err(EINVAL);
        }
        _ => return Err(EINVAL),
    }
    Ok(())
}
