//! JSON schemas as each provider takes them: a keyword that one does not know makes it refuse the request.

use serde_json::{Map, Value};

const COMMON: [&str; 11] = [
    "$defs",
    "$ref",
    "additionalProperties",
    "anyOf",
    "const",
    "description",
    "enum",
    "items",
    "properties",
    "required",
    "type",
];

const BOUNDS: [&str; 4] = ["maximum", "maxItems", "minimum", "minItems"];

/// The schema with what every one of them knows, and bounds of numbers and lists where these are known.
pub(super) fn reduced(schema: &Value, has_bounds: bool) -> Value {
    let Value::Object(schema) = schema else { return schema.clone() };
    let is_known = |name: &str| COMMON.contains(&name) || (has_bounds && BOUNDS.contains(&name));
    let known = schema.iter().filter(|(name, _)| is_known(name));
    Value::Object(known.map(|(name, value)| (name.clone(), below(name, value, has_bounds))).collect())
}

/// What stands at a keyword: schemas by name, a list of them, one of them, or something else.
fn below(name: &str, value: &Value, has_bounds: bool) -> Value {
    match (name, value) {
        ("properties" | "$defs", Value::Object(named)) => {
            let each = named.iter().map(|(name, schema)| (name.clone(), reduced(schema, has_bounds)));
            Value::Object(each.collect::<Map<_, _>>())
        }
        ("anyOf", Value::Array(list)) => list.iter().map(|schema| reduced(schema, has_bounds)).collect(),
        ("items" | "additionalProperties", schema) => reduced(schema, has_bounds),
        (_, value) => value.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keywords_go_and_properties_of_the_same_name_stay() {
        let schema = json!({
            "$schema": "x", "title": "Answer", "type": "object", "additionalProperties": false, "required": ["title"],
            "properties": {
                "title": {"type": "string", "maxLength": 200, "description": "short"},
                "nodes": {"type": "array", "maxItems": 5, "items": {"anyOf": [{"type": "number", "minimum": 0, "default": 1}]}},
            },
        });
        let plain = json!({
            "type": "object", "additionalProperties": false, "required": ["title"],
            "properties": {
                "title": {"type": "string", "description": "short"},
                "nodes": {"type": "array", "items": {"anyOf": [{"type": "number"}]}},
            },
        });
        assert_eq!(reduced(&schema, false), plain);
        let bounded = reduced(&schema, true);
        assert_eq!(bounded["properties"]["nodes"]["maxItems"], 5);
        assert_eq!(bounded["properties"]["nodes"]["items"]["anyOf"][0], json!({"type": "number", "minimum": 0}));
        assert_eq!(bounded["properties"]["title"].get("maxLength"), None);
    }
}
