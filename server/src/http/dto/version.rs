use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{AUTHOR_CHARS_MAX, VERSION_NAME_CHARS_MAX, check};

/// A version to keep.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateVersion {
    /// What it is called.
    #[garde(length(chars, min = 1, max = VERSION_NAME_CHARS_MAX), custom(check::visible))]
    #[schema(example = "Before the workshop", min_length = 1, max_length = 200)]
    pub name: String,
    /// Who makes it.
    #[serde(default)]
    #[garde(inner(length(chars, min = 1, max = AUTHOR_CHARS_MAX)), inner(custom(check::visible)))]
    #[schema(example = "Ada", min_length = 1, max_length = 200)]
    pub author: Option<String>,
}

/// Changes of a version.
#[derive(Debug, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchVersion {
    /// What it is called from now on.
    #[garde(length(chars, min = 1, max = VERSION_NAME_CHARS_MAX), custom(check::visible))]
    #[schema(example = "The good one", min_length = 1, max_length = 200)]
    pub name: String,
}

/// How to restore a version; all of it may be left out.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RestoreVersion {
    /// Who restores it; noted in the version that is made of the map as it is now.
    #[serde(default)]
    #[garde(inner(length(chars, min = 1, max = AUTHOR_CHARS_MAX)), inner(custom(check::visible)))]
    #[schema(example = "Ada", min_length = 1, max_length = 200)]
    pub author: Option<String>,
}
