//! The block of settings that some programs put at the top of a Markdown file.

/// Takes the block off; answers its `title`, if it has one, and the rest of the text.
pub(super) fn split(text: &str) -> (Option<String>, &str) {
    let Some(inner) = text.strip_prefix("---\n") else { return (None, text) };
    let mut title = None;
    let mut at = 0;
    for line in inner.split_inclusive('\n') {
        let line_text = line.trim_end();
        if line_text == "---" || line_text == "..." {
            return (title, &inner[at + line.len()..]);
        }
        // Two rules with text between them are no settings.
        if at == 0 && !is_setting(line_text) {
            break;
        }
        if let Some(value) = line_text.strip_prefix("title:") {
            title = Some(scalar(value.trim()));
        }
        at += line.len();
    }
    (None, text)
}

fn is_setting(line: &str) -> bool {
    let is_key =
        |key: &str| !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' '));
    line.starts_with('#') || line.split_once(':').is_some_and(|(key, _)| is_key(key))
}

/// A value in any of the ways to write one in YAML, as far as titles go.
fn scalar(value: &str) -> String {
    if let Ok(text) = serde_json::from_str::<String>(value) {
        return text;
    }
    let single = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
    single.map_or_else(|| value.to_owned(), |inner| inner.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_taken_off_and_anything_else_stays() {
        assert_eq!(split("---\ntitle: A b\nx:\n  y: 1\n---\nrest"), (Some("A b".into()), "rest"));
        assert_eq!(split("---\nx: 1\ntitle: \"a \\\"b\\\"\"\n...\nrest"), (Some("a \"b\"".into()), "rest"));
        assert_eq!(split("---\ntitle: 'it''s'\n---\n"), (Some("it's".into()), ""));
        assert_eq!(split("---\nx: 1\n---\nrest"), (None, "rest"));
        for whole in ["---\n\n# a\n\n---\n", "---\ntitle: open", "# a", "---\nJust words\n---\n", ""] {
            assert_eq!(split(whole), (None, whole));
        }
    }
}
