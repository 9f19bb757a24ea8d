//! Who answers, as the settings say.

use std::sync::Arc;

use super::{
    price::Prices,
    provider::{
        SharedProvider,
        anthropic::{self, Anthropic},
        gemini::{self, Gemini},
        openai::{self, OpenAi},
        template::TemplateProvider,
    },
};
use crate::config::{AiConfig, AiProvider, ConfigError};

/// The provider that is chosen; the templates when nobody is.
///
/// # Errors
/// [`ConfigError::AiUnusable`]. What else may be wrong was found when the settings were read.
pub fn provider(config: &AiConfig) -> Result<SharedProvider, ConfigError> {
    let (base, model, key) = (base_of(config), model_of(config), config.key());
    let made = match config.chosen() {
        AiProvider::OpenAi => OpenAi::new(base, model, key).map(|made| Arc::new(made) as SharedProvider),
        AiProvider::Anthropic => Anthropic::new(base, model, key).map(|made| Arc::new(made) as SharedProvider),
        AiProvider::Gemini => Gemini::new(base, model, key).map(|made| Arc::new(made) as SharedProvider),
        AiProvider::Template => Ok(Arc::new(TemplateProvider) as SharedProvider),
    };
    made.map_err(|what| ConfigError::AiUnusable { what })
}

/// What the log says about it at start: who, which model, where; no key.
pub fn announcement(config: &AiConfig) -> String {
    let chosen = config.chosen();
    if chosen == AiProvider::Template {
        return "no AI: templates answer; set a provider's key for more".to_owned();
    }
    let (name, model) = (chosen.name(), model_of(config));
    let place = base_of(config).split_once("://").map_or("", |(_, rest)| rest);
    let host = place.split('/').next().unwrap_or_default();
    let passed_over: Vec<_> = config.passed_over().map(AiProvider::name).collect();
    let others = if passed_over.is_empty() {
        String::new()
    } else {
        format!("; there are keys for {} as well: SYNAPTI_AI_PROVIDER chooses", passed_over.join(" and "))
    };
    let price = if Prices::of(config, name, model).is_known() {
        ""
    } else {
        "; its prices are not known, so it counts as free: SYNAPTI_AI_PRICE_INPUT and SYNAPTI_AI_PRICE_OUTPUT say what it costs"
    };
    format!("AI: {name}, {model}, at {host}{others}{price}")
}

fn base_of(config: &AiConfig) -> &str {
    config.base_url.as_deref().unwrap_or(match config.chosen() {
        AiProvider::OpenAi => openai::BASE_URL,
        AiProvider::Anthropic => anthropic::BASE_URL,
        AiProvider::Gemini => gemini::BASE_URL,
        AiProvider::Template => "",
    })
}

fn model_of(config: &AiConfig) -> &str {
    config.model.as_deref().unwrap_or(match config.chosen() {
        AiProvider::OpenAi => openai::MODEL,
        AiProvider::Anthropic => anthropic::MODEL,
        AiProvider::Gemini => gemini::MODEL,
        AiProvider::Template => "template",
    })
}
