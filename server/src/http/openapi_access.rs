//! What the description says of access: taken from the table of rights, so that it cannot say anything else.

use utoipa::openapi::{
    OpenApi, Ref, RefOr, ResponseBuilder,
    content::ContentBuilder,
    path::Operation,
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};

use crate::auth::rights::{Need, need_of};

const SCHEME: &str = "token";

/// Adds the scheme, and to each operation what it needs and how it is refused.
pub(super) fn describe(api: &mut OpenApi) {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("Needed where the server runs with auth.mode `required`; ignored in mode `open`."))
        .build();
    api.components.get_or_insert_default().add_security_scheme(SCHEME, SecurityScheme::Http(scheme));
    for (route, item) in &mut api.paths.paths {
        let operations = [
            ("GET", &mut item.get),
            ("POST", &mut item.post),
            ("PUT", &mut item.put),
            ("PATCH", &mut item.patch),
            ("DELETE", &mut item.delete),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                describe_one(operation, need_of(method, route));
            }
        }
    }
}

fn describe_one(operation: &mut Operation, need: Need) {
    let (role, is_http) = match need {
        Need::Nothing => return,
        Need::SignedIn | Need::SignedInStream => ("a token".to_owned(), true),
        Need::In(action) | Need::InStream(action) => {
            (format!("the role {} or more in the graph", action.role().as_str()), true)
        }
        Need::OnSocket(action) => (format!("the role {} or more in the graph", action.role().as_str()), false),
        Need::Admin => ("an operator's token".to_owned(), true),
    };
    operation.security = Some(vec![SecurityRequirement::new(SCHEME, Vec::<String>::new())]);
    let text = format!("Needs {role}.");
    operation.description = Some(match operation.description.take() {
        Some(before) => format!("{before}\n\n{text}"),
        None => text,
    });
    // A socket is refused with a close code.
    if is_http {
        let responses = &mut operation.responses.responses;
        responses.insert("401".to_owned(), refusal("No token, or none that is good"));
        responses.insert("403".to_owned(), refusal("The token does not give the right to this"));
    }
}

fn refusal(description: &str) -> RefOr<utoipa::openapi::Response> {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ErrorBody"))).build();
    RefOr::T(ResponseBuilder::new().description(description).content("application/json", body).build())
}
