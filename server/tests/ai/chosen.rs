//! Who answers, as the settings say.

use synapti_server::{
    ai::choose::{announcement, provider},
    config::Config,
};

const OPENAI: (&str, &str) = ("OPENAI_API_KEY", "sk-openai-123");
const ANTHROPIC: (&str, &str) = ("ANTHROPIC_API_KEY", "sk-ant-123");
const GEMINI: (&str, &str) = ("GEMINI_API_KEY", "AIza-123");
const KEY: (&str, &str) = ("SYNAPTI_AI_API_KEY", "sk-any-123");

/// Provider and model, or why there are none; and what the log says.
fn chosen(env: &[(&str, &str)]) -> (String, String) {
    let config = match Config::load(None, env.iter().copied(), &[]) {
        Ok(config) => config.ai,
        Err(error) => return (error.to_string(), String::new()),
    };
    let provider = provider(&config).unwrap();
    (format!("{} {}", provider.name(), provider.model()), announcement(&config))
}

#[test]
fn a_provider_is_chosen_by_name_or_by_its_key() {
    let named = |name| ("SYNAPTI_AI_PROVIDER", name);
    let cases: [(&[(&str, &str)], &str); 9] = [
        (&[], "template template"),
        (&[GEMINI, ANTHROPIC, OPENAI], "openai gpt-6-luna"),
        (&[GEMINI, ANTHROPIC], "anthropic claude-haiku-5-5"),
        (&[GEMINI], "gemini gemini-3.5-flash-lite"),
        (&[GEMINI, OPENAI, named("gemini"), ("SYNAPTI_AI_MODEL", "gemini-3.1-pro")], "gemini gemini-3.1-pro"),
        (&[OPENAI, named("template")], "template template"),
        (&[KEY, named("anthropic")], "anthropic claude-haiku-5-5"),
        (&[("SYNAPTI_AI_BASE_URL", "http://127.0.0.1:11434/v1"), ("SYNAPTI_AI_MODEL", "llama3.2")], "openai llama3.2"),
        (&[named("openai"), ("SYNAPTI_AI_BASE_URL", "http://127.0.0.1:11434/v1")], "openai gpt-6-luna"),
    ];
    for (env, expected) in cases {
        let (found, said) = chosen(env);
        assert_eq!(found, expected, "{env:?}");
        assert!(!said.contains("123"), "{said}");
    }
}

#[test]
fn the_log_says_who_where_and_what_is_not_known() {
    let (_, said) = chosen(&[OPENAI, GEMINI]);
    assert_eq!(
        said,
        "AI: openai, gpt-6-luna, at api.openai.com; there are keys for gemini as well: SYNAPTI_AI_PROVIDER chooses"
    );
    let (_, said) = chosen(&[("SYNAPTI_AI_BASE_URL", "http://[::1]:11434/v1"), ("SYNAPTI_AI_MODEL", "llama3.2")]);
    assert!(said.starts_with("AI: openai, llama3.2, at [::1]:11434; its prices are not known"), "{said}");
}

#[test]
fn a_provider_that_nobody_can_ask_is_refused_with_what_to_do() {
    for (name, variable) in [("openai", OPENAI.0), ("anthropic", ANTHROPIC.0), ("gemini", GEMINI.0)] {
        let (error, _) = chosen(&[("SYNAPTI_AI_PROVIDER", name)]);
        assert!(error.contains(name) && error.contains(variable) && error.contains("SYNAPTI_AI_API_KEY"), "{error}");
    }
    let (error, _) = chosen(&[("SYNAPTI_AI_PROVIDER", "gemini"), ("SYNAPTI_AI_BASE_URL", "http://127.0.0.1:1")]);
    assert!(error.contains("GEMINI_API_KEY"), "{error}");
    let (error, _) = chosen(&[KEY]);
    assert!(error.contains("SYNAPTI_AI_PROVIDER") && !error.contains("sk-any"), "{error}");
}
