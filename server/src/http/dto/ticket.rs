use garde::Validate;
use serde::Deserialize;
use utoipa::ToSchema;

/// A ticket to give out; all of it may be left out.
#[derive(Debug, Default, Deserialize, Validate, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTicket {
    /// The only graph that it shall be good for.
    #[serde(default)]
    #[garde(skip)]
    #[schema(example = "solar-system")]
    pub graph_id: Option<String>,
}
